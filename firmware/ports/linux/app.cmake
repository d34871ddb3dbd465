# What a program on Linux needs besides flash and sources; included by CMakeLists.txt of this room.
hr_library(fw_port_linux_host SOURCES ${CMAKE_CURRENT_LIST_DIR}/host.c ${CMAKE_CURRENT_LIST_DIR}/resident.c
           ${CMAKE_CURRENT_LIST_DIR}/log_json.c DEPENDS hr_base)
hr_library(fw_port_linux_resolve SOURCES ${CMAKE_CURRENT_LIST_DIR}/resolve.c DEPENDS hr_base)
hr_library(fw_port_linux_zone SOURCES ${CMAKE_CURRENT_LIST_DIR}/zone.c DEPENDS hr_base)
