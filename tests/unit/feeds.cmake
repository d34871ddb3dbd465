hr_test(test_feeds LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_feeds.c ${CMAKE_SOURCE_DIR}/tests/support/test_assert.c
        DEPENDS hr_feeds_file fw_port_linux_zone)
hr_test(test_poll LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_poll.c ${CMAKE_SOURCE_DIR}/tests/support/test_assert.c
        DEPENDS fw_tap_poll)
if(HEADRACE_TAP_HTTP)
  hr_test(test_tap_http LABEL unit
          SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_tap_http.c ${CMAKE_SOURCE_DIR}/tests/support/temp_folder.c
                  ${CMAKE_SOURCE_DIR}/tests/support/test_assert.c
          DEPENDS fw_tap_http fw_tap_document fw_crypto hr_test_support dep::zstd)
  hr_test(test_grant LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_grant.c ${CMAKE_SOURCE_DIR}/tests/support/test_assert.c
          DEPENDS fw_tap_secret hr_test_support)
  hr_test(test_vault LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_vault.c ${CMAKE_SOURCE_DIR}/tests/support/test_assert.c
          DEPENDS fw_tap_secret hr_test_support)
  target_include_directories(test_tap_http SYSTEM PRIVATE $<TARGET_PROPERTY:dep::curl,INTERFACE_INCLUDE_DIRECTORIES>)
endif()
if(NOT CMAKE_CROSSCOMPILING) # an emulator's /proc/self/smaps has other addresses, and nothing is given back
  hr_test(test_resident LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_resident.c
          DEPENDS fw_port_linux_host hr_test_support)
endif()
