if(NOT HEADRACE_AGGREGATOR)
  return() # a build for a gateway has none of these rooms
endif()

hr_library(hr_iso_lab SOURCES ${CMAKE_CURRENT_LIST_DIR}/../support/iso_lab.c
           DEPENDS agg_norm_iso agg_zoneinfo hr_test_support dep::cmocka dep::zlib)
hr_test(test_norm_iso LABEL unit SOURCES unit/test_norm_iso.c DEPENDS hr_iso_lab)
hr_test(test_norm_iso_bounds LABEL unit SOURCES unit/test_norm_iso_bounds.c DEPENDS hr_iso_lab)
hr_test(test_norm_iso_corpus LABEL unit SOURCES unit/test_norm_iso_corpus.c DEPENDS hr_iso_lab)
hr_test(test_norm_iso_schema LABEL unit SOURCES unit/test_norm_iso_schema.c DEPENDS hr_iso_lab agg_schema dep::cjson)
hr_test(test_norm_document LABEL unit SOURCES unit/test_norm_document.c
        DEPENDS agg_norm_iso hr_test_batches hr_test_support dep::zstd)
hr_test(test_norm_iso_events LABEL unit SOURCES unit/test_norm_iso_events.c
        DEPENDS hr_iso_lab hr_test_batches dep::zstd)
set_tests_properties(test_norm_document test_norm_iso_events PROPERTIES TIMEOUT 600)
set_tests_properties(test_norm_iso_schema PROPERTIES ENVIRONMENT
                     "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/lsan_avro.supp:print_suppressions=0")
set_tests_properties(test_norm_iso_schema test_norm_iso test_norm_iso_bounds test_norm_iso_corpus PROPERTIES TIMEOUT 600)
