add_executable(publish_probe ${CMAKE_SOURCE_DIR}/tests/support/publish_probe.c)
target_link_libraries(publish_probe PRIVATE hr_warnings hr_test_support agg_core agg_normalize agg_schema agg_sink_kafka
                      agg_sink_files hr_edge hr_wire hr_base)
set_target_properties(publish_probe PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

add_test(NAME test_publish COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_publish.py)
set_tests_properties(test_publish PROPERTIES LABELS system ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)

add_test(NAME test_topics COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_topics.py)
set_tests_properties(test_topics PROPERTIES LABELS system TIMEOUT 1800
                     ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_DEADLINE_S=180")

# Requests and answers of the transaction protocol that a proxy delays or loses.
add_test(NAME test_publish_doubt
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_publish_doubt.py)
set_tests_properties(test_publish_doubt PROPERTIES LABELS system TIMEOUT 3600
                     ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_DEADLINE_S=180")

# Failpoints of the whole aggregator, a ledger from a backup, and a Kafka that forgets; they share one broker.
add_test(NAME test_faults COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_faults.py)
set_tests_properties(test_faults PROPERTIES LABELS system RUN_SERIAL ON TIMEOUT 1200 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
