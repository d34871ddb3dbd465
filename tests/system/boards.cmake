# Microcontroller boards in QEMU, from power-on to Kafka. Their images come from builds of their own: build/<board>_faults.
# They run beside each other (ctest -L qemu -j 3).
foreach(board qemu_mps2_an385 qemu_lm3s6965)
  foreach(test test_board test_board_recording test_board_power test_board_network test_board_input test_board_line)
    add_test(NAME ${test}_${board}
             COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/${test}.py)
    set_tests_properties(${test}_${board} PROPERTIES LABELS qemu TIMEOUT 3600 SKIP_RETURN_CODE 77 ENVIRONMENT
      "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_BOARD=${board};HEADRACE_FIRMWARE=${CMAKE_SOURCE_DIR}/build/${board}_faults/bin")
  endforeach()
endforeach()
