# Microcontroller boards in QEMU, from power-on to Kafka. Their images come from builds of their own: build/<board>_faults.
# They run beside each other (ctest -L qemu -j 3), the long ones first.
set(timeout_s 900)
if("$ENV{HEADRACE_LONG}" STREQUAL "1")
  set(timeout_s 14400)
endif()
function(hr_board_test name board file cost)
  add_test(NAME ${name}_${board}
           COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/${file}.py ${ARGN})
  set_tests_properties(${name}_${board} PROPERTIES LABELS qemu TIMEOUT ${timeout_s} SKIP_RETURN_CODE 77 COST ${cost} ENVIRONMENT
    "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_BOARD=${board};HEADRACE_FIRMWARE=${CMAKE_SOURCE_DIR}/build/${board}_faults/bin")
endfunction()

foreach(board qemu_mps2_an385 qemu_lm3s6965)
  hr_board_test(test_board_network ${board} test_board_network 9 BadNetwork)
  hr_board_test(test_board_outage ${board} test_board_network 4 Overflow)
  hr_board_test(test_board_power ${board} test_board_power 8 RandomCuts)
  hr_board_test(test_board_recording ${board} test_board_recording 6)
  hr_board_test(test_board_line ${board} test_board_line 5)
  hr_board_test(test_board_input ${board} test_board_input 3)
  hr_board_test(test_board ${board} test_board 2)
endforeach()
# The flash is the same code on both; the sweep takes the board whose memory shows every store.
hr_board_test(test_board_cuts qemu_mps2_an385 test_board_power 7 EveryOperation)
# Which board has a Modbus line, its README says.
hr_board_test(test_board_bus qemu_mps2_an385 test_board_bus 3 BusBesideAis)
hr_board_test(test_board_bus_line qemu_mps2_an385 test_board_bus 3 FullLine)
set_tests_properties(test_board_bus_qemu_mps2_an385 test_board_bus_line_qemu_mps2_an385 PROPERTIES TIMEOUT 600)
foreach(board qemu_mps2_an385 qemu_lm3s6965)
  hr_board_test(test_board_provision ${board} test_board_provision 3)
  hr_board_test(test_board_renewal ${board} test_board_renewal 3)
endforeach()
# The whole life of a device from factory state; provision.cmake has the same with a gateway.
foreach(board qemu_mps2_an385 qemu_lm3s6965)
  hr_board_test(test_life ${board} test_life 5)
  set_tests_properties(test_life_${board} PROPERTIES TIMEOUT 600)
endforeach()
foreach(board qemu_mps2_an385 qemu_lm3s6965)
  hr_board_test(test_board_trust ${board} test_board_trust 3)
  set_tests_properties(test_board_trust_${board} PROPERTIES TIMEOUT 600)
endforeach()
# The same code writes the memory of both.
hr_board_test(test_board_keys qemu_mps2_an385 test_board_keys 3)
set_tests_properties(test_board_keys_qemu_mps2_an385 PROPERTIES TIMEOUT 600)
