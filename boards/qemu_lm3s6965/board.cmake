# Luminary's Stellaris LM3S6965 evaluation board (Cortex-M3, 256 KB of flash, 64 KB of RAM), as QEMU models it.
set(BOARD_SOURCES board.c)
set(BOARD_DRIVERS uart_pl011.c)
