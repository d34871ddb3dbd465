# The whole pipeline with real programs and a real Kafka. They take the machine for themselves, one after the other.
foreach(test test_corpus test_crashes test_network test_signatures test_outage test_backpressure)
  add_test(NAME ${test}
           COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/${test}.py)
  set_tests_properties(${test} PROPERTIES LABELS system RUN_SERIAL ON TIMEOUT 1800 SKIP_RETURN_CODE 77
                                          ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
endforeach()
