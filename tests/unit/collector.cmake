hr_test(test_crypto LABEL unit SOURCES unit/test_crypto.c support/signature_vector.c
        DEPENDS fw_crypto hr_wire hr_test_support)
