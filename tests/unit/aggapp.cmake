hr_test(test_aggregator_config LABEL unit SOURCES unit/test_aggregator_config.c DEPENDS agg_config hr_test_support)
