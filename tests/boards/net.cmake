# A board and its network: image_net talks to a real DTLS server, which is libcoap on this machine (peer.c), over a LAN
# that lan.py plays.
if(HEADRACE_FAULTS)
  hr_program(image_net SOURCES ${CMAKE_CURRENT_LIST_DIR}/image_net.c ${CMAKE_SOURCE_DIR}/firmware/app/libc_bare.c
             DEPENDS fw_net fw_crypto fw_port_cortex_m hr_base dep::lwip)
  set(peer ${CMAKE_BINARY_DIR}/bin/peer)
  add_custom_command(OUTPUT ${peer}
    COMMAND gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -O2 -isystem ${HEADRACE_DEP_libcoap}/include
            ${CMAKE_CURRENT_LIST_DIR}/peer.c -o ${peer} ${HEADRACE_DEP_libcoap}/lib/libcoap-3.a
            ${HEADRACE_DEP_mbedtls}/lib/libmbedtls.a ${HEADRACE_DEP_mbedtls}/lib/libmbedx509.a
            ${HEADRACE_DEP_mbedtls}/lib/libmbedcrypto.a -lpthread
    DEPENDS ${CMAKE_CURRENT_LIST_DIR}/peer.c COMMENT "gcc peer.c" VERBATIM)
  add_custom_target(hr_board_peer ALL DEPENDS ${peer})
  foreach(kind Memory Ways)
    string(TOLOWER test_net_${kind} name)
    add_test(NAME ${name} COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_CURRENT_LIST_DIR}/test_net.py ${kind})
    set_tests_properties(${name} PROPERTIES LABELS qemu TIMEOUT 600
      ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_BOARD=${HEADRACE_BOARD}")
  endforeach()
endif()
