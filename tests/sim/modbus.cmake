hr_test(test_plant LABEL sim SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_plant.c DEPENDS fw_tap_plant hr_edge hr_test_support)
