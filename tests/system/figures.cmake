# The table of boards/README.md is what is built, and its targets are met. It needs the boards' builds beside this one.
add_test(NAME test_board_figures COMMAND ${CMAKE_SOURCE_DIR}/tools/boards/figures --check)
set_tests_properties(test_board_figures PROPERTIES LABELS qemu TIMEOUT 900 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
