add_test(NAME test_aggregator_postgres COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/test_aggregator_postgres.py)
set_tests_properties(test_aggregator_postgres PROPERTIES LABELS system TIMEOUT 900
                                                         ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
add_test(NAME test_postgres
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_postgres.py)
set_tests_properties(test_postgres PROPERTIES LABELS system COST 8 TIMEOUT 900
                                              ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
add_test(NAME test_failover
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_failover.py)
set_tests_properties(test_failover PROPERTIES LABELS system COST 6 TIMEOUT 600
                                              ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
