hr_test(test_crypto_start LABEL unit SOURCES unit/test_crypto_start.c support/signature_vector.c
        DEPENDS fw_crypto hr_wire hr_test_support)
hr_test(test_trust LABEL unit SOURCES unit/test_trust.c DEPENDS hr_trust fw_crypto hr_wire hr_test_support)
hr_test(test_fw_trust LABEL unit SOURCES unit/test_fw_trust.c DEPENDS fw_core fw_crypto hr_trust hr_wire hr_test_support)
