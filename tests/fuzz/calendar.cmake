if(NOT HEADRACE_AGGREGATOR)
  return() # a build for a gateway has none of these rooms
endif()

hr_fuzzer(fuzz_tzif SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_tzif.c DEPENDS agg_calendar hr_test_support
          CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/tzif)
