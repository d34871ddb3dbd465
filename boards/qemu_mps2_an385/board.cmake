# ARM's MPS2 with the AN385 image (Cortex-M3), as QEMU models it.
set(BOARD_SOURCES board.c)
set(BOARD_DRIVERS uart_cmsdk.c ethernet_lan9118.c flash_psram.c)
set(BOARD_TEST_DRIVERS timer_cmsdk.c)
include(${CMAKE_SOURCE_DIR}/boards/family/net.cmake)
# Of the spool in its memory (proto/image/boards.c).
set(BOARD_SPOOL_MAX_SECTORS 256)
