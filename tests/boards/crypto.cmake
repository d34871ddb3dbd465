# A board's seed, random numbers and signatures, on its own mbedTLS.
if(HEADRACE_FAULTS)
  hr_program(image_crypto SOURCES ${CMAKE_CURRENT_LIST_DIR}/image_crypto.c ${CMAKE_SOURCE_DIR}/firmware/app/libc_bare.c
             DEPENDS fw_core fw_crypto fw_port_cortex_m hr_wire hr_base dep::mbedcrypto)
  add_test(NAME test_board_crypto
           COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_CURRENT_LIST_DIR}/test_crypto.py)
  set_tests_properties(test_board_crypto PROPERTIES LABELS qemu TIMEOUT 600
    ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_BOARD=${HEADRACE_BOARD}")
endif()
