hr_fuzzer(fuzz_modbus SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_modbus.c DEPENDS fw_tap_modbus hr_edge hr_test_support
          CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/modbus)
hr_fuzzer(fuzz_sunspec SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_sunspec.c DEPENDS fw_tap_sunspec hr_edge hr_test_support
          CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/sunspec)
hr_fuzzer(fuzz_station SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_station.c DEPENDS fw_tap_station hr_edge hr_test_support
          CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/station)
