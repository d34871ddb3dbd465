hr_test(test_provision LABEL unit SOURCES unit/test_provision.c support/provision_lab.c
        DEPENDS fw_core fw_port_sim hr_test_support)
