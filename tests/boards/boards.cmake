# What runs on a board itself, in QEMU. Each image is linked with the drivers of the board and hardly anything else; the
# test of the same name runs it and looks at it from outside.
if(HEADRACE_FAULTS)
  foreach(subject flash reset serial ethernet)
    hr_program(image_${subject} SOURCES ${CMAKE_CURRENT_LIST_DIR}/image_${subject}.c DEPENDS hr_image hr_base)
    add_test(NAME test_${subject}
             COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_CURRENT_LIST_DIR}/test_${subject}.py)
    set_tests_properties(test_${subject} PROPERTIES LABELS qemu TIMEOUT 600
      ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_BOARD=${HEADRACE_BOARD}")
  endforeach()

  target_compile_definitions(image_flash PRIVATE BOARD_SPOOL_MAX_SECTORS=${BOARD_SPOOL_MAX_SECTORS})

  # The way of a record, without and with what signs it: for the figures of boards/README.md.
  foreach(kind plain crypto)
    set(libraries fw_tap_ais fw_core hr_edge hr_wire hr_base fw_port_cortex_m dep::mbedcrypto)
    if(kind STREQUAL crypto)
      list(APPEND libraries fw_crypto)
    endif()
    hr_program(image_figures_${kind} SOURCES ${CMAKE_CURRENT_LIST_DIR}/image_figures.c
               ${CMAKE_CURRENT_LIST_DIR}/figures_${kind}.c DEPENDS ${libraries})
  endforeach()
endif()
