# From factory state to the first committed batch, with a gateway; boards.cmake has the same with a board.
add_test(NAME test_provision_tool
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_provision.py)
set_tests_properties(test_provision_tool PROPERTIES LABELS system COST 6 TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
# What goes wrong around it: each mistake is told with what to do next, and changes nothing.
add_test(NAME test_keys_input
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_keys_input.py)
set_tests_properties(test_keys_input PROPERTIES LABELS system COST 5 TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
# Every verb by its help; those of keys by --json and --dry-run.
add_test(NAME test_cli_verbs
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_cli_verbs.py)
set_tests_properties(test_cli_verbs PROPERTIES LABELS system COST 4 TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
# What the field guide shows is what the tool says.
add_test(NAME test_field_guide
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_field_guide.py)
set_tests_properties(test_field_guide PROPERTIES LABELS system COST 1 TIMEOUT 300 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
