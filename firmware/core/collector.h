/* SPDX-License-Identifier: Apache-2.0
 *
 * The collector's loop: what taps saw becomes records, records become sealed batches in the spool, and the
 * uplink brings those away. It adds the records that a collector makes about itself: Boot, TimeAnchor, Loss,
 * Stats, Event. Single-threaded, no heap; all functions are [loop].
 *
 * Promises. Boot is the first record of each boot and of each stream that this boot started. A record that
 * fw_collector_offer took is durable at the latest after seal_max_age_ms, or is counted in records_dropped,
 * never silently gone. A hole in the spool has its Loss sealed in the next step. */
#ifndef FW_COLLECTOR_H
#define FW_COLLECTOR_H

#include "firmware/core/rotation.h"
#include "firmware/core/spool.h"
#include "firmware/core/uplink.h"
#include "firmware/port/port_sign.h"
#include "firmware/port/port_utc.h"

enum { FW_COLLECTOR_MAX_SOURCES = 16 };

/* Someone whose counters go into signed Stats records: a tap, say. */
struct fw_stats_source {
    void (*stats)(void *ctx, struct edge_stats *out);
    void *ctx;
};

struct fw_collector_config {
    const struct port_clock *clock;
    const struct port_random *random;
    const struct port_log *log;
    const struct port_sign *sign; /* of a device whose record key never changes; NULL with keys */
    struct port_keys *keys;       /* NULL: as above; kept */
    const struct port_verify *verify;
    const struct port_net *net;
    const struct port_utc *utc; /* NULL: the host has no disciplined clock */
    const struct wire_hash *hash;
    struct fw_trust *trust;               /* open, kept; NULL: trust does not change */
    const struct fw_renew *renew;         /* kept; NULL: the transport key stays */
    struct fw_spool *spool;               /* open; the collector is its only user from now on */
    const struct fw_spool_report *report; /* of fw_spool_open; borrowed by fw_collector_start */
    const char *version;                  /* goes into Boot records; kept */
    uint8_t *envelope; /* kept: working memory, room for the largest envelope of the spool */
    uint32_t envelope_capacity_bytes;
    uint32_t seal_max_age_ms;
    uint32_t seal_max_bytes; /* a batch is sealed when its payload reaches this */
    uint32_t stats_interval_ms;
    uint32_t anchor_interval_ms; /* of the aggregator's anchors and of the host clock's */
};

/* Counted since boot; the Stats record of source "collector" has the same names. */
struct fw_collector_counters {
    uint64_t records;         /* taken from taps */
    uint64_t records_dropped; /* not taken: the flash failed, or the record fits no batch */
    uint64_t seals;
    uint64_t seals_by_size;
    uint64_t seals_by_age;
    uint64_t losses;  /* Loss records sealed */
    uint64_t carried; /* batches sealed again in a new stream */
};

/* Storage of the collector; its members belong to collector.c. */
struct fw_collector {
    struct fw_collector_config config;
    struct fw_collector_counters counters;
    struct fw_uplink uplink;
    struct fw_rotation rotation;
    struct fw_stats_source sources[FW_COLLECTOR_MAX_SOURCES];
    uint32_t n_sources;
    uint32_t boot_id;
    uint64_t base_uptime_ms; /* of the open batch */
    uint32_t open_payload_bytes;
    uint32_t open_records;
    uint8_t open_flags; /* enum wire_flag of what the open batch holds */
    uint64_t next_stats_ms;
    uint64_t next_host_anchor_ms;
    bool carrying;        /* batches of an older stream are still to be sealed under the current one */
    bool starting_stream; /* the uplink waits for the end of it */
    uint32_t previous_stream;
    uint32_t boot_reason; /* enum edge_boot_reason of the Boot record that follows the carrying */
    uint32_t recovered_records;
    bool closing;               /* no further records about itself */
    bool failed;                /* the flash or the key failed: the spool must be opened again */
    struct edge_record scratch; /* for records that the collector makes itself */
};

/* Seals what an earlier boot left unsealed. The first steps carry what an older stream left, if anything;
 * then Boot and the host clock's anchor begin the records of this boot. HR_IO: flash or key failed. */
HR_MUST_USE struct hr_status fw_collector_start(struct fw_collector *collector,
                                                const struct fw_collector_config *config);

/* The events that port_net is to be given, before the first step. */
struct port_net_events fw_collector_net_events(struct fw_collector *collector);

/* Asserts fewer than FW_COLLECTOR_MAX_SOURCES of them. */
void fw_collector_add_source(struct fw_collector *collector, struct fw_stats_source source);

/* False before the first step, and while a new stream takes over what the old one left: leave the bytes of
 * the taps where they are. */
bool fw_collector_is_ready(const struct fw_collector *collector);

/* Takes one record that was received at uptime_ms; its dt_ms is set here. HR_AGAIN: not ready. HR_IO: flash
 * or key failed, and a collector must be started anew over a newly opened spool. HR_MALFORMED: it fits no
 * batch. In each case the record is not taken, and counted. */
HR_MUST_USE struct hr_status fw_collector_offer(struct fw_collector *collector, struct edge_record *record,
                                                uint64_t uptime_ms);

/* The same for a message of the AIS tap, which need not be a record yet. */
HR_MUST_USE struct hr_status fw_collector_offer_ais(struct fw_collector *collector,
                                                    const struct edge_ais *ais, uint64_t uptime_ms);

/* Does what is due, and says in *wait_ms after how long to call again; FW_NEVER_MS: only after an event. Call
 * after each offer and event of port_net too. HR_IO as fw_collector_offer. */
HR_MUST_USE struct hr_status fw_collector_step(struct fw_collector *collector, uint32_t *wait_ms);

/* Has the record key changed for a new one, in one of the next steps: the batch that is sealed then announces
 * it. HR_OK also while a switch is under way. HR_NOT_FOUND: this device keeps one key. */
HR_MUST_USE struct hr_status fw_collector_rotate(struct fw_collector *collector);

/* The end is near: adds the last Stats records and seals. Steps may follow, to send what they can. HR_IO as
 * fw_collector_offer. */
HR_MUST_USE struct hr_status fw_collector_begin_end(struct fw_collector *collector);
/* Seals what still came and closes the spool. HR_IO: what is not sealed is lost; the rest stands in the
 * spool. */
HR_MUST_USE struct hr_status fw_collector_end(struct fw_collector *collector);

/* True when all that was offered is sealed and acknowledged. */
bool fw_collector_is_drained(const struct fw_collector *collector);

#endif
