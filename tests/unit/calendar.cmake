if(NOT HEADRACE_AGGREGATOR)
  return() # a build for a gateway has none of these rooms
endif()

# Python's zoneinfo reads the same tzdata by other code; what it says is compared with what the calendar says.
add_executable(calendar_dump ${CMAKE_SOURCE_DIR}/tests/support/calendar_dump.c)
target_link_libraries(calendar_dump PRIVATE hr_warnings agg_zoneinfo agg_calendar hr_test_support)
set_target_properties(calendar_dump PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
foreach(part Calendar Blocks Tzdata)
  add_test(NAME test_calendar_oracle_${part}
           COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/test_calendar_oracle.py ${part})
  set_tests_properties(test_calendar_oracle_${part} PROPERTIES LABELS unit TIMEOUT 600
                       ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
endforeach()

# The same for decimals and units, with Python's fractions.
add_executable(units_dump ${CMAKE_SOURCE_DIR}/tests/support/units_dump.c)
target_link_libraries(units_dump PRIVATE hr_warnings agg_units hr_test_support)
set_target_properties(units_dump PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
add_test(NAME test_units_oracle COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/test_units_oracle.py)
set_tests_properties(test_units_oracle PROPERTIES LABELS unit TIMEOUT 600
                     ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)

hr_test(test_zone LABEL unit SOURCES unit/test_zone.c support/temp_folder.c
        DEPENDS agg_zoneinfo agg_calendar hr_test_support)
hr_test(test_market_calendar LABEL unit SOURCES unit/test_market_calendar.c
        DEPENDS agg_zoneinfo agg_calendar hr_test_support)
hr_test(test_block LABEL unit SOURCES unit/test_block.c DEPENDS agg_zoneinfo agg_calendar hr_test_support)
