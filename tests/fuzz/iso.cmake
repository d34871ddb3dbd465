if(NOT HEADRACE_AGGREGATOR)
  return()
endif()

hr_fuzzer(fuzz_iso SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_iso.c
          DEPENDS agg_norm_iso agg_zoneinfo hr_test_support m CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/iso)
