/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a tap's bytes come from on Linux: a serial line, TCP (as client or server), UDP, a file or stdin. It
 * is wider than port_serial.h, which a microcontroller's one UART needs: a source may carry several streams
 * whose bytes must not be mixed, and datagrams that end a line.
 *
 * A source mends itself. A serial device that goes away, or a TCP peer that closes or can't be reached, is
 * opened again after a growing pause (0.25 s to 15 s, back to 0.25 s once bytes came); each change is logged
 * once. Nothing blocks, with one exception: the name of a TCP peer is looked up by the system's resolver,
 * which may take as long as resolv.conf says; numeric addresses don't. All calls are [loop]. */
#ifndef PORT_LINUX_SOURCE_H
#define PORT_LINUX_SOURCE_H

#include "firmware/port/port_log.h"
#include "proto/base/bytes.h"
#include "proto/base/status.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum port_linux_source_kind {
    PORT_LINUX_SOURCE_SERIAL,     /* path, baud: raw, no flow control, opened for this process alone */
    PORT_LINUX_SOURCE_TCP_CLIENT, /* host, port; connects for at most 10 s, keepalive finds a dead peer in 60
                                     s */
    PORT_LINUX_SOURCE_TCP_SERVER, /* host (empty: all addresses), port (0: a free one); 8 senders at once */
    PORT_LINUX_SOURCE_UDP,        /* as TCP_SERVER; an IPv4 multicast host is joined (IEC 61162-450) */
    PORT_LINUX_SOURCE_FILE,       /* path */
    PORT_LINUX_SOURCE_STDIN,
};

enum {
    PORT_LINUX_SOURCE_STREAMS = 8,                         /* stream ids are 0 to 7 */
    PORT_LINUX_SOURCE_FDS = PORT_LINUX_SOURCE_STREAMS + 1, /* and the listener */
};

enum port_linux_parity { PORT_LINUX_PARITY_NONE, PORT_LINUX_PARITY_EVEN, PORT_LINUX_PARITY_ODD };

struct port_linux_source_config {
    enum port_linux_source_kind kind;
    char path[256];
    char host[256];
    uint16_t port;
    uint32_t baud; /* 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800 or 921600 */
    /* Of a serial device; zeros are 8N1, for listening only. */
    bool is_two_way; /* it is written to as well */
    bool has_two_stop_bits;
    enum port_linux_parity parity;
};

enum port_linux_source_event {
    PORT_LINUX_SOURCE_BYTES,    /* the stream goes on */
    PORT_LINUX_SOURCE_DATAGRAM, /* len_bytes are one datagram, whole */
    PORT_LINUX_SOURCE_ENDED,    /* no bytes; the stream ended, and its id may come again for another sender */
};

struct port_linux_source_chunk {
    enum port_linux_source_event event;
    uint8_t stream;
    size_t len_bytes;
};

struct port_linux_source_counts {
    uint64_t opened;        /* devices opened, connections made or taken */
    uint64_t lost;          /* of those, ended by an error, a hangup or the peer */
    uint64_t failed;        /* tries to open or connect that came to nothing */
    uint64_t refused;       /* senders turned away because all 8 streams were taken */
    uint64_t cut_datagrams; /* longer than the reader's buffer; dropped */
};

/* In the header for static allocation only, but for `counts`, which may be read at any time. */
struct port_linux_source {
    struct port_linux_source_config config;
    const struct port_log *log;
    struct port_linux_source_counts counts;
    int listener;                          /* -1: none */
    int stream[PORT_LINUX_SOURCE_STREAMS]; /* -1: free */
    bool connecting;                       /* stream 0 waits for its connection */
    bool down;                             /* to be opened at retry_at_ms */
    bool ended;                            /* a file or stdin was read to its end */
    uint8_t turn;                          /* the stream that is looked at first */
    uint32_t address_turn;                 /* which of the peer's addresses is tried */
    uint32_t backoff_ms;
    uint64_t retry_at_ms;
    uint64_t connect_until_ms;
    uint64_t accept_at_ms; /* the listener rests until then */
};

/* Opens the source; `log` is kept. A serial device or TCP peer that isn't there now is not an error, it is
 * tried again by port_linux_source_read. HR_MALFORMED: a baud that isn't listed, a kind that isn't, or a TCP
 * client without host or port. HR_IO: the file can't be opened or the address can't be bound. The cause is
 * logged, nothing is left open. */
HR_MUST_USE struct hr_status port_linux_source_open(struct port_linux_source *source,
                                                    const struct port_linux_source_config *config,
                                                    const struct port_log *log, uint64_t uptime_ms);

/* Takes what has arrived on one stream, each in turn, and does what is due (accepting, connecting, opening
 * again). Call it until it says HR_AGAIN, then poll. HR_AGAIN: nothing now, *chunk and out are unchanged.
 * HR_CLOSED: a file or stdin is at its end, after its PORT_LINUX_SOURCE_ENDED; no more will come. Give at
 * least 2048 bytes, and for UDP 65535 where long datagrams are expected. */
HR_MUST_USE struct hr_status port_linux_source_read(struct port_linux_source *source, uint64_t uptime_ms,
                                                    uint8_t *out, size_t capacity_bytes,
                                                    struct port_linux_source_chunk *chunk);

/* Fills in what to poll for and returns how many; 0 while nothing is open. Ask again after each
 * port_linux_source_read. */
size_t port_linux_source_fds(const struct port_linux_source *source, uint64_t uptime_ms,
                             struct pollfd fds[PORT_LINUX_SOURCE_FDS]);

/* Milliseconds until port_linux_source_read has something to do even if no fd is ready; UINT32_MAX: never. */
uint32_t port_linux_source_wait_ms(const struct port_linux_source *source, uint64_t uptime_ms);

/* The port that a TCP server or UDP source is bound to; 0 for the other kinds. */
uint16_t port_linux_source_port(const struct port_linux_source *source);

/* ---- a serial device that is_two_way, and a TCP client ---- */

/* True while there is somebody to write to. */
bool port_linux_source_is_open(const struct port_linux_source *source);

/* Writes to the device or peer. HR_AGAIN: not open. HR_IO: it took less than all of it, because it failed or
 * has not read what it was sent before; drop it then. */
HR_MUST_USE struct hr_status port_linux_source_write(struct port_linux_source *source, struct hr_bytes bytes);

/* Closes what is open and opens it again at the next port_linux_source_read. */
void port_linux_source_reopen(struct port_linux_source *source, uint64_t uptime_ms);

/* Closes everything; stdin stays open. Safe on a source whose opening failed. */
void port_linux_source_close(struct port_linux_source *source);

#endif
