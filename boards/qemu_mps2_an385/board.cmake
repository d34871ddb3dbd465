# ARM's MPS2 with the AN385 image (Cortex-M3), as QEMU models it.
set(BOARD_SOURCES board.c)
set(BOARD_DRIVERS uart_cmsdk.c)
