foreach(name test_tap_ais test_tap_vectors)
  hr_test(${name} LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/${name}.c ${CMAKE_SOURCE_DIR}/tests/support/tap_listener.c
          DEPENDS fw_tap_ais hr_edge hr_test_support)
endforeach()
