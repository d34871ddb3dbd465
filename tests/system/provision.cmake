# From factory state to the first committed batch, with a gateway; boards.cmake has the same with a board.
add_test(NAME test_provision_tool
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_provision.py)
set_tests_properties(test_provision_tool PROPERTIES LABELS system COST 6 TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)

# Interrupted at their messages and around their commits; README.md of the tests has the table.
foreach(test test_interruptions test_key_interruptions test_kept_interruptions)
  add_test(NAME ${test} COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/${test}.py)
  set_tests_properties(${test} PROPERTIES LABELS system COST 6 TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
endforeach()
# What goes wrong around it: each mistake is told with what to do next, and changes nothing.
add_test(NAME test_keys_input
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_keys_input.py)
set_tests_properties(test_keys_input PROPERTIES LABELS system COST 5 TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
# The whole life of a device from factory state; boards.cmake has the same with boards.
add_test(NAME test_life_gateway COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_life.py)
set_tests_properties(test_life_gateway PROPERTIES LABELS system COST 6 TIMEOUT 600 ENVIRONMENT
  "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_KIND=gateway")
add_test(NAME test_renewal_store
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_renewal_store.py)
set_tests_properties(test_renewal_store PROPERTIES LABELS system COST 3 TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
# Trust bundles that come with an identity, and after it.
add_test(NAME test_trust_provisioned
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_trust_provisioned.py)
set_tests_properties(test_trust_provisioned PROPERTIES LABELS system COST 6 TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
# Every verb by its help; those of keys by --json and --dry-run.
add_test(NAME test_cli_verbs
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_cli_verbs.py)
set_tests_properties(test_cli_verbs PROPERTIES LABELS system COST 4 TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
# What the field guide shows is what the tool says.
add_test(NAME test_field_guide
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_field_guide.py)
set_tests_properties(test_field_guide PROPERTIES LABELS system COST 1 TIMEOUT 300 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
