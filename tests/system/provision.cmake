add_test(NAME test_provision_tool
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_provision.py)
set_tests_properties(test_provision_tool PROPERTIES LABELS system COST 5 TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
