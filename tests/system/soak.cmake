# Everything killed under a fleet of collectors: a minute here, ten and more with 200 collectors in the preset `nightly`.
add_test(NAME test_soak COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_soak.py)
set_tests_properties(test_soak PROPERTIES LABELS system RUN_SERIAL ON TIMEOUT 600
                                          ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_LONG=")
add_test(NAME test_soak_nightly COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_soak.py)
set_tests_properties(test_soak_nightly PROPERTIES LABELS nightly RUN_SERIAL ON TIMEOUT 7200
                                                  ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_LONG=1")
