hr_test(test_spool_model LABEL sim SOURCES sim/test_spool_model.c support/spool_lab.c support/fake_sign.c
        DEPENDS fw_core fw_port_sim hr_test_support)
