add_test(NAME test_collector COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_collector.py)
set_tests_properties(test_collector PROPERTIES LABELS system ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
