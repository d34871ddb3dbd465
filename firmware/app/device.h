/* SPDX-License-Identifier: Apache-2.0
 *
 * A collector on a microcontroller: what an image in the board's memory makes it, and the loop that runs it.
 * Everything is in one struct whose size is known at compile time. Whatever is wrong with the memory, the
 * identity or the spool is said on the console and counted, and the device stays up: its shell answers, and
 * what time or a new image may mend is tried again. [loop] */
#ifndef APP_DEVICE_H
#define APP_DEVICE_H

#include "boards/family/board.h"
#include "firmware/app/identity.h"
#include "firmware/app/provisioner.h"
#include "firmware/app/shell.h"
#include "firmware/app/transport_store.h"
#include "firmware/core/collector.h"
#include "firmware/net/client.h"
#include "firmware/ports/cortex_m/flash_part.h"
#include "firmware/taps/ais/tap_ais.h"

enum { APP_STAGE_BYTES = 1024 };

/* Counted since boot; the Stats record of source "device" has the same names. */
struct app_device_counts {
    uint64_t serial_bytes;
    uint64_t serial_dropped; /* the ring of the serial input was full */
    uint64_t serial_unused;  /* read while there was no collector to take them */
    uint64_t frames_in;
    uint64_t frames_out;
    uint64_t frames_dropped;
    uint64_t pool_bytes; /* of the TLS library's memory */
    uint64_t pool_peak_bytes;
    uint64_t pool_refused; /* allocations that found no room */
    uint64_t stack_bytes;
    uint64_t stack_peak_bytes;
    uint64_t longest_turn_ms; /* of the loop */
    uint64_t spool_reopened;  /* the flash failed, and the spool was opened again */
    uint64_t reset_cause;     /* enum board_reset */
};

/* What failed and is tried again, with growing patience. */
struct app_retry {
    uint64_t at_ms; /* when; 0: it is not */
    uint32_t n;     /* times in a row */
};

struct app_device {
    enum app_trouble trouble; /* APP_FINE: it collects */
    bool has_network;
    bool net_runs; /* net is a client of this collector */
    bool rebooting;
    struct app_retry memory;  /* identity and spool */
    struct app_retry network; /* the Ethernet controller */
    struct port_net uplink;   /* the collector's: net, or nothing while the controller is silent */
    uint64_t settled_ms;      /* a collector that runs until then has recovered */
    uint64_t next_tick_ms;
    struct app_device_counts counts;
    struct app_shell shell;
    struct app_identity identity;
    struct app_transport transport;    /* of the identity; once it is known */
    bool renewal_is_asked;             /* at the console */
    struct fw_ceremony ceremony;       /* of the identity in the memory; its stage is stats */
    struct port_flash_part spool_part; /* of the memory */
    struct fw_spool spool;
    struct fw_spool_report report;
    struct fw_spool_sector sectors[APP_SPOOL_MAX_SECTORS]; /* by the board.cmake of the board */
    uint8_t stage[APP_STAGE_BYTES];
    struct net_client net;
    struct fw_collector collector;
    struct tap_ais framer;
    struct tap_ais_stream line;
    uint8_t envelope[WIRE_MCU_ENVELOPE_MAX_BYTES];
    struct edge_stats stats; /* the shell's scratch, and room for a certificate from the network's step to the
                                client's, between which the shell does nothing */
};
_Static_assert(sizeof(struct edge_stats) >= FW_CEREMONY_STAGE_BYTES,
               "a field of the ceremony fits the scratch");
_Static_assert(sizeof(struct edge_stats) >= IMAGE_CERTIFICATE_MAX_BYTES, "and so does a certificate");
_Static_assert((int)WIRE_MCU_ENVELOPE_MAX_BYTES >= (int)APP_TRANSPORT_ROOM_BYTES,
               "a request is made where envelopes are");

/* Says hello, reads the memory, and starts what can be started. board_start was called before. */
void app_device_start(struct app_device *device);

/* One turn of the loop: what arrived, what is due, and what that makes the uplink send; then it sleeps until
 * something arrives or is due. Returns after a second at the latest. */
void app_device_turn(struct app_device *device);

/* The counts, brought up to date, as a Stats record of source "device". */
void app_device_stats(struct app_device *device, struct edge_stats *out);

/* Seals and saves what is there, and starts the board again. Never comes back. */
_Noreturn void app_device_reboot(struct app_device *device);

#endif
