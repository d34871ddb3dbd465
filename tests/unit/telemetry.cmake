if(NOT HEADRACE_AGGREGATOR)
  return() # a build for a gateway has none of these rooms
endif()

hr_library(hr_telemetry_lab SOURCES ${CMAKE_CURRENT_LIST_DIR}/../support/telemetry_lab.c
           DEPENDS agg_telemetry hr_test_batches hr_test_support dep::cmocka)
hr_test(test_norm_telemetry LABEL unit SOURCES unit/test_norm_telemetry.c DEPENDS hr_telemetry_lab)
hr_test(test_telemetry_past LABEL sim SOURCES sim/test_telemetry_past.c DEPENDS hr_telemetry_lab)
set_tests_properties(test_norm_telemetry test_telemetry_past PROPERTIES TIMEOUT 600)
