hr_test(test_tap_modbus LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_tap_modbus.c
        DEPENDS fw_tap_modbus hr_edge hr_test_support)
