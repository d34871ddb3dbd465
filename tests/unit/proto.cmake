hr_test(test_base LABEL unit SOURCES unit/test_base.c DEPENDS hr_base hr_test_support)
hr_test(test_wire LABEL unit SOURCES unit/test_wire.c DEPENDS hr_wire hr_test_support)
hr_test(test_edge LABEL unit SOURCES unit/test_edge.c DEPENDS hr_edge hr_test_support)
hr_test(test_config LABEL unit SOURCES unit/test_config.c DEPENDS hr_config hr_test_support)
