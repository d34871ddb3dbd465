if(NOT HEADRACE_AGGREGATOR)
  return() # a build for a gateway has none of these rooms
endif()

hr_test(test_admit_sim LABEL sim tsan SOURCES sim/test_admit_sim.c DEPENDS hr_test_core)
