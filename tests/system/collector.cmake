add_test(NAME test_collector COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_collector.py)
set_tests_properties(test_collector PROPERTIES LABELS system ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
# The wall clock and the time since boot of what preloads it, and a month that passes by it.
add_library(clock_shift SHARED ${CMAKE_SOURCE_DIR}/tests/support/clock_shift.c)
target_link_libraries(clock_shift PRIVATE hr_warnings)
set_target_properties(clock_shift PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
add_test(NAME test_outage_month
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_outage_month.py)
set_tests_properties(test_outage_month PROPERTIES LABELS system COST 5 TIMEOUT 600
                                                  ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
