# Each is linked with the drivers of the board and nothing else.
if(HEADRACE_FAULTS)
  foreach(image boot)
    hr_program(image_${image} SOURCES ${CMAKE_CURRENT_LIST_DIR}/image_${image}.c DEPENDS hr_base)
  endforeach()
endif()
