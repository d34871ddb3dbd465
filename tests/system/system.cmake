# The whole pipeline with real programs and a real Kafka. All of these wait for what must come, so they run beside each
# other and beside the boards (ctest -L 'system|qemu' -j 3), the long ones first.
foreach(test test_corpus test_crashes test_network test_signatures test_outage test_backpressure)
  add_test(NAME ${test}
           COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/${test}.py)
  set_tests_properties(${test} PROPERTIES LABELS system COST 7 TIMEOUT 900 SKIP_RETURN_CODE 77
                                          ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
endforeach()
add_test(NAME test_rotation COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_rotation.py)
set_tests_properties(test_rotation PROPERTIES LABELS system COST 6 TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
# A registry of many devices; without a broker.
add_test(NAME test_rotation_fleet
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_rotation_fleet.py)
set_tests_properties(test_rotation_fleet PROPERTIES LABELS system COST 5 TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
