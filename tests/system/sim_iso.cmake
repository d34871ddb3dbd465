# The simulator of market operators (headrace sim iso), by itself.
add_test(NAME test_sim_iso COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_sim_iso.py)
set_tests_properties(test_sim_iso PROPERTIES LABELS system TIMEOUT 300 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
