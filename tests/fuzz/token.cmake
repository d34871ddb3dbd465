if(NOT HEADRACE_AGGREGATOR)
  return()
endif()

hr_fuzzer(fuzz_token_reference SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_token_reference.c DEPENDS agg_token hr_test_support
          CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/token_reference)
