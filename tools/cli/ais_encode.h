/* SPDX-License-Identifier: Apache-2.0
 *
 * AIS messages from their fields, as ITU-R M.1371-5 annex 8 lays them out; the simulator's half of what the
 * normalizer reads. Values are the raw integers of the standard, and each must fit its field. Only the
 * payload, its length and its fill bits are set in *out. */
#ifndef CLI_AIS_ENCODE_H
#define CLI_AIS_ENCODE_H

#include "proto/edge/record.h"

#include <stdbool.h>
#include <stdint.h>

/* Types 1 and 3 (class A), 18 (class B) and 27 (long range, which takes its coarser values from these). */
struct cli_ais_position {
    uint32_t mmsi;
    uint8_t type;
    uint8_t status;        /* 0 under way, 1 at anchor, 5 moored ... ; not in 18 */
    int8_t rot;            /* -128: not available; not in 18 and 27 */
    uint16_t sog_tenth_kn; /* 1023: not available */
    bool accurate;
    int32_t longitude_1_600000_deg;
    int32_t latitude_1_600000_deg;
    uint16_t cog_tenth_deg; /* 3600: not available */
    uint16_t heading_deg;   /* 511: not available */
    uint8_t second;
    bool raim;
    uint32_t radio; /* communication state, 19 bits in 1 and 3, 20 in 18 */
};

/* Types 5 and 24, parts A (name) and B (the rest). Text is upper case, cut to its field. */
struct cli_ais_static {
    uint32_t mmsi;
    uint32_t imo;
    const char *callsign;    /* 7 */
    const char *name;        /* 20 */
    const char *destination; /* 20; only 5 */
    const char *vendor;      /* 3; only 24 */
    uint8_t unit_model;      /* only 24 */
    uint32_t serial;         /* only 24 */
    uint8_t ship_type;
    uint16_t to_bow_m, to_stern_m;
    uint8_t to_port_m, to_starboard_m;
    uint8_t epfd;
    uint8_t eta_month, eta_day, eta_hour, eta_minute;
    uint8_t draught_tenth_m;
};

/* Type 4. */
struct cli_ais_base {
    uint32_t mmsi;
    uint16_t year;
    uint8_t month, day, hour, minute, second;
    bool accurate;
    int32_t longitude_1_600000_deg;
    int32_t latitude_1_600000_deg;
    uint8_t epfd;
    uint32_t radio;
};

/* Type 21 without a name extension. */
struct cli_ais_aid {
    uint32_t mmsi;
    uint8_t aid_type;
    const char *name; /* 20 */
    bool accurate;
    int32_t longitude_1_600000_deg;
    int32_t latitude_1_600000_deg;
    uint8_t radius_m; /* all four dimensions */
    uint8_t epfd;
    uint8_t second;
    uint8_t regional;
    bool raim;
};

void cli_ais_encode_position(const struct cli_ais_position *in, struct edge_ais *out);
void cli_ais_encode_static(const struct cli_ais_static *in, struct edge_ais *out); /* 5 */
void cli_ais_encode_part_a(const struct cli_ais_static *in, struct edge_ais *out); /* 24 A */
void cli_ais_encode_part_b(const struct cli_ais_static *in, struct edge_ais *out); /* 24 B */
void cli_ais_encode_base(const struct cli_ais_base *in, struct edge_ais *out);     /* 4 */
void cli_ais_encode_aid(const struct cli_ais_aid *in, struct edge_ais *out);       /* 21 */

#endif
