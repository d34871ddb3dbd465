hr_test(test_dep_libcoap LABEL unit SOURCES unit/test_dep_libcoap.c support/coap_lab.c DEPENDS dep::coap)
hr_test(test_dep_libcoap_memory LABEL unit SOURCES unit/test_dep_libcoap_memory.c support/coap_lab.c DEPENDS dep::coap)
target_link_options(test_dep_libcoap_memory PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free)
hr_test(test_dep_mbedtls LABEL unit SOURCES unit/test_dep_mbedtls.c support/coap_lab.c DEPENDS dep::coap)
