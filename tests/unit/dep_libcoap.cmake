hr_test(test_dep_libcoap LABEL unit SOURCES unit/test_dep_libcoap.c support/coap_lab.c DEPENDS dep::coap)
