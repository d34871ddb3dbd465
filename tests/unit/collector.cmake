hr_test(test_crypto LABEL unit SOURCES unit/test_crypto.c support/signature_vector.c support/openssl_tool.c
        support/uplink_lab.c
        DEPENDS fw_crypto fw_core hr_edge hr_wire hr_test_support)
hr_test(test_net LABEL unit SOURCES unit/test_net.c support/net_peer.c support/openssl_tool.c
        DEPENDS fw_net fw_port_linux_resolve hr_base hr_test_support dep::coap)
hr_test(test_net_address LABEL unit SOURCES unit/test_net_address.c DEPENDS fw_net hr_base)
hr_test(test_resolve LABEL unit SOURCES unit/test_resolve.c DEPENDS fw_port_linux_resolve hr_base hr_test_support)
# The pool of microcontroller boards, which knows nothing of them.
hr_test(test_pool LABEL unit SOURCES unit/test_pool.c ${CMAKE_SOURCE_DIR}/firmware/ports/cortex_m/pool.c
        DEPENDS hr_base hr_test_support)
