if(HEADRACE_AGGREGATOR)
  hr_test(test_dep_rdkafka LABEL unit SOURCES unit/test_dep_rdkafka.c DEPENDS dep::rdkafka)
  target_link_options(test_dep_rdkafka PRIVATE -Wl,--wrap=malloc)
endif()
