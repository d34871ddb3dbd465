hr_test(test_base LABEL unit SOURCES unit/test_base.c DEPENDS hr_base hr_test_support)
hr_test(test_wire LABEL unit SOURCES unit/test_wire.c DEPENDS hr_wire hr_test_support)
hr_test(test_edge LABEL unit SOURCES unit/test_edge.c DEPENDS hr_edge hr_test_support)
hr_test(test_edge_random LABEL unit SOURCES unit/test_edge_random.c support/nanopb_encode.c
        DEPENDS hr_edge hr_edge_pb hr_test_support)
hr_test(test_config LABEL unit SOURCES unit/test_config.c DEPENDS hr_config hr_test_support)
hr_test(test_image LABEL unit SOURCES unit/test_image.c DEPENDS hr_image hr_test_support)
hr_test(test_image_life LABEL unit SOURCES unit/test_image_life.c DEPENDS hr_image hr_test_support)
