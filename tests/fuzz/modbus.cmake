hr_fuzzer(fuzz_modbus SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_modbus.c DEPENDS fw_tap_modbus hr_edge hr_test_support
          CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/modbus)
