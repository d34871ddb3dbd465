# Of firmware/net and its memory, the same on every microcontroller: aggregators, the longest name or address of one,
# one request at a time, and an envelope that fits one message (WIRE_MCU_ENVELOPE_MAX_BYTES). The pool is what a DTLS
# session with certificates needs at its peak (boards/README.md has the figure), and 19 % more.
set(BOARD_NET_MAX_ADDRESSES 4)
set(BOARD_NET_HOST_MAX_CHARS 95)
set(BOARD_NET_MAX_WINDOW 1)
set(BOARD_NET_BODY_MAX_BYTES 1024)
set(BOARD_POOL_BYTES 14640)
