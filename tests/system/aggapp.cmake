# A foreign CoAP client for the aggregator's tests.
add_executable(coap_probe ${CMAKE_SOURCE_DIR}/tests/support/coap_probe.c)
target_link_libraries(coap_probe PRIVATE hr_warnings hr_base dep::coap dep::mbedtls)
set_target_properties(coap_probe PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

# A disk that goes away, to be preloaded.
add_library(fsync_fault SHARED ${CMAKE_SOURCE_DIR}/tests/support/fsync_fault.c)
target_link_libraries(fsync_fault PRIVATE hr_warnings)
set_target_properties(fsync_fault PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

foreach(test test_aggregator_input test_aggregator_parts test_aggregator_sessions test_aggregator_cli test_device_board test_trust_bundles test_renewal test_transport_keys)
  add_test(NAME ${test} COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/${test}.py)
  set_tests_properties(${test} PROPERTIES LABELS system ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
endforeach()
set_tests_properties(test_aggregator_sessions PROPERTIES COST 7) # of the long ones
# The real process with all its threads; the other two take minutes under the thread sanitizer.
set_tests_properties(test_aggregator_input PROPERTIES LABELS "system;tsan")
# Its clients run at once, on a machine that has other things to do.
add_test(NAME test_aggregator_threads
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_aggregator_threads.py)
set_tests_properties(test_aggregator_threads PROPERTIES LABELS system TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)

# Decisions about devices and their audit entries, with either ledger.
add_test(NAME test_registry COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_registry.py)
set_tests_properties(test_registry PROPERTIES LABELS system COST 5 TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
set_tests_properties(test_trust_bundles test_renewal test_transport_keys PROPERTIES TIMEOUT 600)

# The attacks of the table in tests/README.md.
add_test(NAME test_attacks COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_attacks.py)
set_tests_properties(test_attacks PROPERTIES LABELS system COST 4 TIMEOUT 600
                     ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_DEADLINE_S=180")

# Devices that are revoked from a place on, with either ledger.
add_test(NAME test_suspect COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_suspect.py)
set_tests_properties(test_suspect PROPERTIES LABELS system COST 4 TIMEOUT 600
                     ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_DEADLINE_S=180")
