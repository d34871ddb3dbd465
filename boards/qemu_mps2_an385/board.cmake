# ARM's MPS2 with the AN385 image (Cortex-M3), as QEMU models it.
set(BOARD_SOURCES board.c)
set(BOARD_DRIVERS bus_uart.c uart_cmsdk.c ethernet_lan9118.c flash_psram.c)
set(BOARD_TEST_DRIVERS timer_cmsdk.c)
include(${CMAKE_SOURCE_DIR}/boards/family/net.cmake)
# Of the spool in its memory (proto/image/boards.c).
set(BOARD_SPOOL_MAX_SECTORS 256)
# It has room for trust bundles: two in RAM, and one that comes in pieces.
set(BOARD_FOLLOWS_TRUST ON)
# Of a poll plan: devices on its Modbus line, and points of all of them (proto/image/boards.c has them for the tool).
set(BOARD_PLANT_MAX_UNITS 8)
set(BOARD_PLANT_MAX_POINTS 40)
