hr_test(test_spool LABEL unit SOURCES unit/test_spool.c support/spool_lab.c support/fake_sign.c support/signature_vector.c
        DEPENDS fw_core fw_crypto fw_port_sim hr_test_support)
