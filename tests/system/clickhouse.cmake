add_test(NAME test_clickhouse COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/test_clickhouse.py Columns)
set_tests_properties(test_clickhouse PROPERTIES LABELS system TIMEOUT 300 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
# The long form; skipped without HEADRACE_LONG.
add_test(NAME test_clickhouse_engine
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_clickhouse.py Engine)
set_tests_properties(test_clickhouse_engine PROPERTIES LABELS system TIMEOUT 600 SKIP_RETURN_CODE 77
  ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_ORACLES=${CMAKE_BINARY_DIR}/oracles")
