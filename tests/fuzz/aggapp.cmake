if(NOT HEADRACE_AGGREGATOR)
  return() # a build for a gateway has none of these rooms
endif()

hr_fuzzer(fuzz_window SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_window.c ${CMAKE_SOURCE_DIR}/aggregator/app/window.c
          DEPENDS agg_http hr_wire hr_base hr_test_support CORPUS ${CMAKE_CURRENT_LIST_DIR}/corpus/window)
