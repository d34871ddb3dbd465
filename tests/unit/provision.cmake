hr_test(test_provision LABEL unit SOURCES unit/test_provision.c support/provision_lab.c
        DEPENDS fw_core fw_port_sim hr_test_support)
hr_test(test_plan LABEL unit SOURCES unit/test_plan.c DEPENDS fw_core hr_test_support)
hr_fuzzer(fuzz_plan SOURCES fuzz/fuzz_plan.c DEPENDS fw_core hr_test_support
          CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/plan)
