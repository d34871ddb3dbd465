hr_test(test_ceremony LABEL sim boards SOURCES sim/test_ceremony.c DEPENDS fw_core fw_port_sim hr_test_support)
