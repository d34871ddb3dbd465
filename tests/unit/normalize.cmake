if(NOT HEADRACE_AGGREGATOR)
  return() # a build for a gateway has none of these rooms
endif()

hr_test(test_norm_ais LABEL unit SOURCES unit/test_norm_ais.c DEPENDS agg_normalize hr_test_support)
hr_test(test_normalize LABEL unit SOURCES unit/test_normalize.c DEPENDS agg_normalize hr_test_support)
hr_test(test_schema LABEL unit SOURCES unit/test_schema.c
        DEPENDS agg_schema agg_normalize agg_telemetry hr_test_support dep::avro dep::cjson)
hr_test(test_schema_file LABEL unit SOURCES unit/test_schema_file.c
        DEPENDS agg_schema agg_normalize hr_test_support dep::avro)
hr_test(test_schema_registry LABEL unit tsan SOURCES unit/test_schema_registry.c
        DEPENDS agg_schema hr_test_support dep::cjson Threads::Threads)
set_tests_properties(test_schema PROPERTIES ENVIRONMENT
                     "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/lsan_avro.supp:print_suppressions=0")
