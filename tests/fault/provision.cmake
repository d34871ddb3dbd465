hr_test(test_provision_cuts LABEL fault boards SOURCES fault/test_provision_cuts.c support/provision_lab.c
        DEPENDS fw_core fw_port_sim hr_test_support)
hr_test(test_identity_cuts LABEL fault boards SOURCES fault/test_identity_cuts.c support/identity_lab.c
        DEPENDS fw_core fw_port_sim hr_test_support)
hr_test(test_key_store_cuts LABEL fault SOURCES fault/test_key_store_cuts.c support/identity_lab.c
        ${CMAKE_SOURCE_DIR}/firmware/app/key_pair.c ${CMAKE_SOURCE_DIR}/firmware/app/key_store.c
        DEPENDS fw_core fw_crypto fw_port_sim hr_test_support)
if(HEADRACE_AGGREGATOR)
  hr_test(test_transport_cuts LABEL fault SOURCES fault/test_transport_cuts.c support/transport_lab.c support/identity_lab.c support/openssl_tool.c
          ${CMAKE_SOURCE_DIR}/firmware/app/transport_store.c
          DEPENDS fw_core fw_crypto fw_port_sim agg_renew hr_test_support)
endif()
hr_test(test_trust_store_cuts LABEL fault SOURCES fault/test_trust_store_cuts.c support/identity_lab.c
        ${CMAKE_SOURCE_DIR}/firmware/app/trust_store.c
        DEPENDS fw_core fw_crypto fw_port_sim hr_test_support)
