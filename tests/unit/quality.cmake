if(NOT HEADRACE_AGGREGATOR)
  return() # a build for a gateway has none of these rooms
endif()

hr_test(test_quality LABEL unit SOURCES unit/test_quality.c DEPENDS hr_iso_lab agg_quality hr_feeds_book)
add_test(NAME test_feeds_rules COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/test_feeds_rules.py)
set_tests_properties(test_feeds_rules PROPERTIES LABELS unit TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
hr_test(test_schema_compat LABEL unit SOURCES unit/test_schema_compat.c DEPENDS agg_schema agg_schema_compat hr_test_support)

# Python's statistics says the same by other code.
add_executable(stats_dump ${CMAKE_SOURCE_DIR}/tests/support/stats_dump.c)
target_link_libraries(stats_dump PRIVATE hr_warnings agg_quality agg_zoneinfo hr_test_support)
set_target_properties(stats_dump PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
add_test(NAME test_stats_oracle COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/test_stats_oracle.py)
set_tests_properties(test_stats_oracle PROPERTIES LABELS unit TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
