hr_fuzzer(fuzz_nmea SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_nmea.c DEPENDS fw_tap_ais hr_edge hr_test_support
          CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/nmea)
if(TARGET fw_tap_secret)
  hr_fuzzer(fuzz_json SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_json.c DEPENDS fw_tap_secret hr_test_support
            CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/json)
endif()
