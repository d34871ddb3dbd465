set(SPOOL_LAB support/spool_lab.c support/fake_sign.c)
hr_test(test_spool_cuts LABEL fault SOURCES fault/test_spool_cuts.c ${SPOOL_LAB}
        DEPENDS fw_core fw_port_sim hr_test_support)
