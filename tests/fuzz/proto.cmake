hr_fuzzer(fuzz_envelope SOURCES fuzz/fuzz_envelope.c DEPENDS hr_wire hr_test_support
          CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/envelope)
hr_fuzzer(fuzz_record SOURCES fuzz/fuzz_record.c DEPENDS hr_edge hr_test_support
          CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/record)
hr_fuzzer(fuzz_ack SOURCES fuzz/fuzz_ack.c DEPENDS hr_wire hr_test_support
          CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/ack)
hr_fuzzer(fuzz_config SOURCES fuzz/fuzz_config.c DEPENDS hr_config hr_test_support
          CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/config)
hr_fuzzer(fuzz_image SOURCES fuzz/fuzz_image.c DEPENDS hr_image hr_test_support
          CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/image)
hr_fuzzer(fuzz_trust SOURCES fuzz/fuzz_trust.c DEPENDS hr_trust hr_test_support
          CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/trust)
