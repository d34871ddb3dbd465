# Where a tap's bytes come from: serial, TCP, UDP, file, stdin.
hr_library(fw_port_linux_source
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/source.c ${CMAKE_CURRENT_LIST_DIR}/source_serial.c
          ${CMAKE_CURRENT_LIST_DIR}/source_socket.c ${CMAKE_CURRENT_LIST_DIR}/source_write.c
  DEPENDS hr_base)
