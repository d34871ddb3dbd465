# Luminary's Stellaris LM3S6965 evaluation board (Cortex-M3, 256 KB of flash, 64 KB of RAM), as QEMU models it.
set(BOARD_SOURCES board.c)
set(BOARD_DRIVERS uart_pl011.c ethernet_stellaris.c flash_sd.c sd_card.c spi_pl022.c)
set(BOARD_TEST_DRIVERS timer_stellaris.c)
include(${CMAKE_SOURCE_DIR}/boards/family/net.cmake)
# Of the spool in its memory (proto/image/boards.c).
set(BOARD_SPOOL_MAX_SECTORS 64)
