hr_test(test_feeds LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_feeds.c ${CMAKE_SOURCE_DIR}/tests/support/test_assert.c
        DEPENDS hr_feeds_file fw_port_linux_zone)
hr_test(test_poll LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_poll.c ${CMAKE_SOURCE_DIR}/tests/support/test_assert.c
        DEPENDS fw_tap_poll)
