if(NOT HEADRACE_AGGREGATOR)
  return() # a build for a gateway has none of these rooms
endif()

hr_test(test_aggregator_config LABEL unit SOURCES unit/test_aggregator_config.c DEPENDS agg_config hr_test_support)
