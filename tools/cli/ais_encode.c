/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/ais_encode.h"

#include "proto/base/assert.h"

#include <string.h>

/* One field: a number of n_bits, or with text, characters of six bits. */
struct field {
    uint8_t n_bits;
    int64_t value;
    const char *text;
};

static void put_bits(struct edge_ais *out, uint32_t *at, uint32_t n_bits, int64_t value)
{
    HR_ASSERT(value < (int64_t)1 << n_bits && value >= -((int64_t)1 << (n_bits - 1)));
    for (uint32_t i = n_bits; i-- > 0; (*at)++) {
        if ((value >> i & 1) != 0) {
            out->payload[*at / 8] |= (uint8_t)(0x80 >> *at % 8);
        }
    }
}

/* '@', which is 0, ends a text and fills it up. */
static void put_text(struct edge_ais *out, uint32_t *at, uint32_t n_chars, const char *text)
{
    bool ended = false;
    for (uint32_t i = 0; i < n_chars; i++) {
        ended = ended || text[i] == '\0';
        put_bits(out, at, 6, ended ? 0 : text[i] & 63);
    }
}

static void put_fields(struct edge_ais *out, const struct field *fields, size_t n_fields)
{
    uint32_t at = 0;
    memset(out->payload, 0, sizeof out->payload);
    for (size_t i = 0; i < n_fields; i++) {
        if (fields[i].text != NULL) {
            put_text(out, &at, fields[i].n_bits / 6U, fields[i].text);
        } else {
            put_bits(out, &at, fields[i].n_bits, fields[i].value);
        }
    }
    out->payload_chars = (uint16_t)((at + 5) / 6);
    out->fill_bits = (uint8_t)(out->payload_chars * 6U - at);
}

#define PUT(out, fields) put_fields((out), (fields), HR_ARRAY_LEN(fields))

static void encode_class_a(const struct cli_ais_position *in, struct edge_ais *out)
{
    const struct field fields[] = {
        {6, in->type, NULL},
        {2, 0, NULL}, /* repeat indicator */
        {30, in->mmsi, NULL},
        {4, in->status, NULL},
        {8, in->rot, NULL},
        {10, in->sog_tenth_kn, NULL},
        {1, in->accurate, NULL},
        {28, in->longitude_1_600000_deg, NULL},
        {27, in->latitude_1_600000_deg, NULL},
        {12, in->cog_tenth_deg, NULL},
        {9, in->heading_deg, NULL},
        {6, in->second, NULL},
        {5, 0, NULL}, /* special manoeuvre, spare */
        {1, in->raim, NULL},
        {19, in->radio, NULL},
    };
    PUT(out, fields);
}

static void encode_class_b(const struct cli_ais_position *in, struct edge_ais *out)
{
    const struct field fields[] = {
        {6, 18, NULL},
        {2, 0, NULL},
        {30, in->mmsi, NULL},
        {8, 0, NULL},
        {10, in->sog_tenth_kn, NULL},
        {1, in->accurate, NULL},
        {28, in->longitude_1_600000_deg, NULL},
        {27, in->latitude_1_600000_deg, NULL},
        {12, in->cog_tenth_deg, NULL},
        {9, in->heading_deg, NULL},
        {6, in->second, NULL},
        {2, 0, NULL},
        {6, 0x2E, NULL}, /* carrier sense; no display; DSC; whole band; message 22; autonomous */
        {1, in->raim, NULL},
        {20, in->radio, NULL},
    };
    PUT(out, fields);
}

/* 1/600000 degree to 1/600, to the nearest. */
static int64_t coarse(int32_t angle)
{
    return (angle + (angle < 0 ? -500 : 500)) / 1000;
}

static void encode_long_range(const struct cli_ais_position *in, struct edge_ais *out)
{
    uint32_t sog_kn = (in->sog_tenth_kn + 5U) / 10;
    uint32_t cog_deg = (in->cog_tenth_deg + 5U) / 10;
    const struct field fields[] = {
        {6, 27, NULL},
        {2, 0, NULL},
        {30, in->mmsi, NULL},
        {1, in->accurate, NULL},
        {1, in->raim, NULL},
        {4, in->status, NULL},
        {18, coarse(in->longitude_1_600000_deg), NULL},
        {17, coarse(in->latitude_1_600000_deg), NULL},
        {6, sog_kn > 62 ? 63 : sog_kn, NULL},
        {9, in->cog_tenth_deg >= 3600 ? 511 : cog_deg % 360, NULL},
        {1, 0, NULL}, /* the position is the present one */
        {1, 0, NULL},
    };
    PUT(out, fields);
}

void cli_ais_encode_position(const struct cli_ais_position *in, struct edge_ais *out)
{
    if (in->type == 18) {
        encode_class_b(in, out);
    } else if (in->type == 27) {
        encode_long_range(in, out);
    } else {
        encode_class_a(in, out);
    }
}

void cli_ais_encode_static(const struct cli_ais_static *in, struct edge_ais *out)
{
    const struct field fields[] = {
        {6, 5, NULL},
        {2, 0, NULL},
        {30, in->mmsi, NULL},
        {2, 0, NULL}, /* AIS version */
        {30, in->imo, NULL},
        {42, 0, in->callsign},
        {120, 0, in->name},
        {8, in->ship_type, NULL},
        {9, in->to_bow_m, NULL},
        {9, in->to_stern_m, NULL},
        {6, in->to_port_m, NULL},
        {6, in->to_starboard_m, NULL},
        {4, in->epfd, NULL},
        {4, in->eta_month, NULL},
        {5, in->eta_day, NULL},
        {5, in->eta_hour, NULL},
        {6, in->eta_minute, NULL},
        {8, in->draught_tenth_m, NULL},
        {120, 0, in->destination},
        {2, 0, NULL}, /* data terminal ready, spare */
    };
    PUT(out, fields);
}

void cli_ais_encode_part_a(const struct cli_ais_static *in, struct edge_ais *out)
{
    const struct field fields[] = {
        {6, 24, NULL}, {2, 0, NULL}, {30, in->mmsi, NULL}, {2, 0, NULL}, {120, 0, in->name},
    };
    PUT(out, fields);
}

void cli_ais_encode_part_b(const struct cli_ais_static *in, struct edge_ais *out)
{
    const struct field fields[] = {
        {6, 24, NULL},
        {2, 0, NULL},
        {30, in->mmsi, NULL},
        {2, 1, NULL},
        {8, in->ship_type, NULL},
        {18, 0, in->vendor},
        {4, in->unit_model, NULL},
        {20, in->serial, NULL},
        {42, 0, in->callsign},
        {9, in->to_bow_m, NULL},
        {9, in->to_stern_m, NULL},
        {6, in->to_port_m, NULL},
        {6, in->to_starboard_m, NULL},
        {4, in->epfd, NULL},
        {2, 0, NULL},
    };
    PUT(out, fields);
}

void cli_ais_encode_base(const struct cli_ais_base *in, struct edge_ais *out)
{
    const struct field fields[] = {
        {6, 4, NULL},
        {2, 0, NULL},
        {30, in->mmsi, NULL},
        {14, in->year, NULL},
        {4, in->month, NULL},
        {5, in->day, NULL},
        {5, in->hour, NULL},
        {6, in->minute, NULL},
        {6, in->second, NULL},
        {1, in->accurate, NULL},
        {28, in->longitude_1_600000_deg, NULL},
        {27, in->latitude_1_600000_deg, NULL},
        {4, in->epfd, NULL},
        {11, 0, NULL}, /* transmission control, spare, RAIM */
        {19, in->radio, NULL},
    };
    PUT(out, fields);
}

void cli_ais_encode_aid(const struct cli_ais_aid *in, struct edge_ais *out)
{
    const struct field fields[] = {
        {6, 21, NULL},
        {2, 0, NULL},
        {30, in->mmsi, NULL},
        {5, in->aid_type, NULL},
        {120, 0, in->name},
        {1, in->accurate, NULL},
        {28, in->longitude_1_600000_deg, NULL},
        {27, in->latitude_1_600000_deg, NULL},
        {9, in->radius_m, NULL},
        {9, in->radius_m, NULL},
        {6, in->radius_m, NULL},
        {6, in->radius_m, NULL},
        {4, in->epfd, NULL},
        {6, in->second, NULL},
        {1, 0, NULL}, /* on position */
        {8, in->regional, NULL},
        {1, in->raim, NULL},
        {3, 0, NULL}, /* real, not assigned, spare */
    };
    PUT(out, fields);
}
