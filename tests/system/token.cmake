# An authority whose keys are in PKCS#11 tokens.
add_test(NAME test_authority_token
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_authority_token.py)
set_tests_properties(test_authority_token PROPERTIES LABELS system TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
