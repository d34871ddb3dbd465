if(NOT HEADRACE_AGGREGATOR)
  return() # a build for a gateway has none of these rooms
endif()

hr_test(test_quality LABEL unit SOURCES unit/test_quality.c DEPENDS hr_iso_lab agg_quality hr_feeds_book)
add_test(NAME test_feeds_rules COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/test_feeds_rules.py)
set_tests_properties(test_feeds_rules PROPERTIES LABELS unit TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
hr_test(test_schema_compat LABEL unit SOURCES unit/test_schema_compat.c DEPENDS agg_schema agg_schema_compat hr_test_support)
