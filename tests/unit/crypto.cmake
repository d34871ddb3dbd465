hr_test(test_crypto_start LABEL unit SOURCES unit/test_crypto_start.c support/signature_vector.c
        DEPENDS fw_crypto hr_wire hr_test_support)
