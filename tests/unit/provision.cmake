hr_test(test_provision LABEL unit SOURCES unit/test_provision.c support/provision_lab.c
        DEPENDS fw_core fw_port_sim hr_test_support)
hr_test(test_plan LABEL unit SOURCES unit/test_plan.c DEPENDS fw_core hr_test_support)
hr_fuzzer(fuzz_plan SOURCES fuzz/fuzz_plan.c DEPENDS fw_core hr_test_support
          CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/plan)
if(HEADRACE_AGGREGATOR)
  hr_test(test_transport_store LABEL unit SOURCES unit/test_transport_store.c support/transport_lab.c support/identity_lab.c
          support/openssl_tool.c ${CMAKE_SOURCE_DIR}/firmware/app/transport_store.c
          DEPENDS fw_core fw_crypto fw_port_sim agg_renew hr_test_support)
endif()
