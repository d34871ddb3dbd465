hr_test(test_spool_cuts LABEL fault SOURCES fault/test_spool_cuts.c support/spool_lab.c support/fake_sign.c
        DEPENDS fw_core fw_port_sim hr_test_support)
hr_test(test_spool_damage LABEL fault boards SOURCES fault/test_spool_damage.c support/spool_lab.c support/fake_sign.c
        DEPENDS fw_core fw_port_sim hr_test_support)
