hr_test(test_poll_plan LABEL sim SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_poll_plan.c ${CMAKE_SOURCE_DIR}/tests/support/test_assert.c
        DEPENDS fw_tap_poll)
