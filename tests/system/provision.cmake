# From factory state to the first committed batch, with a gateway; boards.cmake has the same with a board.
add_test(NAME test_provision_tool
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_provision.py)
set_tests_properties(test_provision_tool PROPERTIES LABELS system COST 6 TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)

# Interrupted at their messages and around their commits; README.md of the tests has the table.
foreach(test test_interruptions test_key_interruptions test_kept_interruptions)
  add_test(NAME ${test} COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/${test}.py)
  set_tests_properties(${test} PROPERTIES LABELS system COST 6 TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
endforeach()
