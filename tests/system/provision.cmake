# From factory state to the first committed batch, with a gateway; boards.cmake has the same with a board.
add_test(NAME test_provision_tool
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_provision.py)
set_tests_properties(test_provision_tool PROPERTIES LABELS system COST 6 TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
add_test(NAME test_renewal_store
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_renewal_store.py)
set_tests_properties(test_renewal_store PROPERTIES LABELS system COST 3 TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
# Trust bundles that come with an identity, and after it.
add_test(NAME test_trust_provisioned
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_trust_provisioned.py)
set_tests_properties(test_trust_provisioned PROPERTIES LABELS system COST 6 TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
