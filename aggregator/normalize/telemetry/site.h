/* SPDX-License-Identifier: Apache-2.0
 *
 * Sites: which collector stands where, and what a site gives in total. A site has one collector, so that its
 * totals follow from one stream.
 *
 * A total is the sum of the active powers of a technology at the end of five minutes of UTC, as an event of
 * iso.rt.telemetry.<iso> at the site's node. It comes with the first samples of the next five minutes or
 * later, and is the sum over the channels of the last sample of each: of the interval, or before it while the
 * device had nothing new to say. Channels whose last sample is not good are left out, and the event's
 * `quarantine` says so; without any good one there is no total. Nor is there one of an interval in which no
 * sample came, or whose end the log knows no time of. Both times are by the anchor of the batch at hand: one
 * that moves the clock over the end of the interval may cost a total or give it twice, with one
 * observation_key. [any] */
#ifndef NORM_SITE_H
#define NORM_SITE_H

#include "aggregator/normalize/iso/event.h"
#include "aggregator/normalize/telemetry/channels.h"

struct norm_site {
    uint64_t collector;
    const char *name;
    bool has_node;
    enum norm_iso iso;
    const char *node;          /* id of the location */
    const char *inverter_fuel; /* "solar": what the site's inverters (models 101 to 113) turn into power */
};

enum { NORM_SITE_TECHNOLOGIES = 3, NORM_SITE_SUBJECT_CHARS = 48, NORM_SITE_TOTAL_S = 300 };

struct norm_site_total {
    char subject[NORM_SITE_SUBJECT_CHARS]; /* "generation.solar", "generation.battery", "net.meter" */
    double value_mw;
    uint32_t n_good;
    uint32_t n_other; /* channels whose last sample is not good */
};

/* The site; all texts are kept. iso_code: as norm_iso_code, NULL: it has no node. Asserts that it is one. */
struct norm_site norm_site_of(uint64_t collector, const char *name, const char *iso_code, const char *node,
                              const char *inverter_fuel);

/* A number that differs, but for a chance of 1 in 16 million, when other totals come of the sites; 0: none.
 */
uint32_t norm_site_version(const struct norm_site *sites, size_t n_sites);

/* Fills out with the technologies that have a channel of active power; returns how many. */
size_t norm_site_totals(const struct norm_site *site, struct norm_channels *channels,
                        const struct norm_input *input, struct norm_site_total out[NORM_SITE_TECHNOLOGIES]);

/* Fills the values of the total's event behind the common ones, and returns its schema. Everything is
 * borrowed; `key` is the room for the observation's. */
const struct norm_schema *norm_site_values(const struct norm_site *site, const struct norm_site_total *total,
                                           int64_t end_s, char key[NORM_ISO_KEY_CHARS],
                                           struct norm_value *values);

#endif
