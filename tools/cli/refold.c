/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/refold.h"

#include "aggregator/normalize/ais/ais.h"
#include "aggregator/normalize/device/device.h"
#include "aggregator/normalize/iso/normalizer.h"
#include "aggregator/normalize/quality/inspect.h"
#include "aggregator/normalize/telemetry/telemetry.h"
#include "aggregator/verify/verify.h"
#include "aggregator/zoneinfo/zoneinfo.h"
#include "proto/base/assert.h"
#include "proto/feeds/file/book.h"
#include "tools/cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LOOKS = 20 };

static const struct feeds_rules *rules_of(void *ctx, const char *feed)
{
    return feeds_book_rules(ctx, feed);
}

/* The inspector that the aggregator has; what it marks by statistics is no part of what is compared. */
static const struct norm_iso_inspector *make_inspector(const struct norm_zones *zones)
{
    static struct feeds_book book;
    static struct conf_report report;
    const struct norm_inspect_config config = {
        .zones = zones, .rules_of = rules_of, .rules_ctx = &book, .memory = calloc(1, norm_inspect_bytes())};
    if (config.memory == NULL || !hr_is_ok(feeds_book_fill(&book, NULL, &report))) {
        (void)fputs("headrace: no memory, or no feeds in this build\n", stderr);
        exit(CLI_FAILED);
    }
    return norm_inspect_inspector(norm_inspect_init(&config));
}

static void init_iso(struct norm_iso_normalizer *iso)
{
    static struct norm_zones zones;
    char message[ZONEINFO_MESSAGE_CHARS] = "no memory";
    const struct norm_iso_config config = {.zones = &zones,
                                           .hash = verify_hash(),
                                           .memory = calloc(1, norm_iso_memory_bytes()),
                                           .inspector = make_inspector(&zones)};
    if (config.memory == NULL || !hr_is_ok(zoneinfo_load(NULL, &zones, message))) {
        (void)fprintf(stderr, "headrace: %s\n", message);
        exit(CLI_FAILED);
    }
    norm_iso_init(iso, &config);
}

static struct norm_site sites[CONFIG_MAX_SITES];
static size_t n_sites;

void cli_normalizers_sites(const struct config_aggregator *config)
{
    for (n_sites = 0; n_sites < config->n_sites; n_sites++) {
        const struct config_site *site = &config->sites[n_sites];
        sites[n_sites] = norm_site_of(config_site_collector(site), site->name, config_site_iso_code(site),
                                      site->node, config_site_fuel(site));
    }
}

static void init_plant(struct norm_telemetry *plant)
{
    const struct norm_telemetry_config config = {
        .sites = sites, .n_sites = n_sites, .memory = calloc(1, norm_telemetry_memory_bytes())};
    if (config.memory == NULL) {
        (void)fputs("headrace: no memory\n", stderr);
        exit(CLI_FAILED);
    }
    norm_telemetry_init(plant, &config);
}

const struct normalizer *const *cli_normalizers(void)
{
    static struct norm_ais ais;
    static struct norm_iso_normalizer iso;
    static struct norm_telemetry plant;
    static const struct normalizer *list[CLI_REFOLD_N_NORMALIZERS];
    if (list[0] == NULL) {
        norm_ais_init(&ais);
        init_iso(&iso);
        list[0] = &ais.normalizer;
        list[1] = &iso.normalizer;
        init_plant(&plant);
        list[2] = &plant.normalizer;
        list[3] = norm_device();
    }
    return list;
}

/* ---- the ledger that the fold sees: entries in memory ---- */

static bool is_same_entry(const struct feed_entry *a, const char *feed, const char *partition)
{
    return strcmp(a->feed, feed) == 0 && strcmp(a->partition, partition) == 0;
}

static struct feed_entry *find_entry(struct feed_entry *rows, size_t n, const char *feed,
                                     const char *partition)
{
    for (size_t i = n; i > 0; i--) {
        if (is_same_entry(&rows[i - 1], feed, partition)) {
            return &rows[i - 1];
        }
    }
    return NULL;
}

static struct hr_status no_heads(void *ctx, void (*each)(void *each_ctx, const struct feed_head *head),
                                 void *each_ctx)
{
    (void)ctx;
    (void)each;
    (void)each_ctx;
    return hr_ok();
}

static struct hr_status shim_first_leaf(void *ctx, uint64_t *first_leaf)
{
    *first_leaf = ((const struct cli_refold_sink *)ctx)->first_leaf;
    return hr_ok();
}

static struct hr_status no_versions(void *ctx, const char *sink,
                                    void (*each)(void *each_ctx, const struct feed_version *version),
                                    void *each_ctx)
{
    (void)sink;
    (void)each;
    (void)each_ctx;
    (void)ctx;
    return hr_ok();
}

static struct hr_status shim_entries(void *ctx, const struct feed_query *query,
                                     void (*each)(void *each_ctx, const struct feed_entry *entry),
                                     void *each_ctx)
{
    const struct cli_refold_sink *sink = ctx;
    const struct feed_entry *entry =
        query->partition == NULL ? NULL
                                 : find_entry(sink->folded, sink->n_folded, query->feed, query->partition);
    if (entry != NULL) {
        each(each_ctx, entry);
    }
    return hr_ok();
}

static struct hr_status shim_write(void *ctx, const struct feed_change *change)
{
    struct cli_refold_sink *sink = ctx;
    for (size_t i = 0; i < change->n_entries; i++) {
        const struct feed_entry *entry = &change->entries[i];
        struct feed_entry *known = find_entry(sink->folded, sink->n_folded, entry->feed, entry->partition);
        if (known == NULL) {
            void *rows = realloc(sink->folded, (sink->n_folded + 1) * sizeof *entry);
            if (rows == NULL) {
                return hr_status_of(HR_IO);
            }
            sink->folded = rows;
            known = &sink->folded[sink->n_folded++];
        }
        *known = *entry;
    }
    return hr_ok();
}

static uint64_t no_time(void *ctx)
{
    (void)ctx;
    return 1;
}

static void start_fold(struct cli_refold_sink *sink)
{
    static const struct agg_clock clock = {.monotonic_us = no_time};
    sink->shim_feeds = (struct ledger_feeds){
        .write = shim_write, .heads = no_heads, .versions = no_versions, .entries = shim_entries};
    sink->shim = (struct ledger){.first_leaf = shim_first_leaf, .feeds = &sink->shim_feeds, .ctx = sink};
    const struct agg_fold_config config = {.reader = &sink->shim,
                                           .writer = &sink->shim,
                                           .clock = &clock,
                                           .hash = verify_hash(),
                                           .sink = sink->name,
                                           .normalizers = cli_normalizers(),
                                           .n_normalizers = CLI_REFOLD_N_NORMALIZERS};
    static const struct sink_found nothing;
    agg_fold_init(sink->fold, &config);
    sink->is_broken = !hr_is_ok(agg_fold_load(sink->fold, &nothing));
}

/* ---- what is stored ---- */

static void take_head(void *ctx, const struct feed_head *head)
{
    struct cli_refold *refold = ctx;
    if (refold->n_sinks < CLI_REFOLD_MAX_SINKS) {
        struct cli_refold_sink *sink = &refold->sinks[refold->n_sinks++];
        memcpy(sink->name, head->sink, sizeof sink->name);
        sink->next_leaf = head->next_leaf;
    }
}

static void take_version(void *ctx, const struct feed_version *version)
{
    struct cli_refold_sink *sink = ctx;
    void *rows = realloc(sink->versions, (sink->n_versions + 1) * sizeof *version);
    if (rows != NULL) {
        sink->versions = rows;
        sink->versions[sink->n_versions++] = *version;
    }
}

static void take_entry(void *ctx, const struct feed_entry *entry)
{
    struct cli_refold_sink *sink = ctx;
    void *rows = realloc(sink->stored, (sink->n_stored + 1) * sizeof *entry);
    if (rows != NULL) {
        sink->stored = rows;
        sink->stored[sink->n_stored++] = *entry;
    }
}

static void forget(struct cli_refold *refold)
{
    for (size_t i = 0; i < refold->n_sinks; i++) {
        struct cli_refold_sink *sink = &refold->sinks[i];
        free(sink->versions);
        free(sink->stored);
        free(sink->folded);
        free(sink->fold);
    }
    memset(refold->sinks, 0, sizeof refold->sinks);
    refold->n_sinks = 0;
}

static void look_for_change(void *ctx, const struct feed_head *head)
{
    struct cli_refold *refold = ctx;
    for (size_t i = 0; i < refold->n_sinks; i++) {
        if (strcmp(refold->sinks[i].name, head->sink) == 0 && refold->sinks[i].next_leaf != head->next_leaf) {
            refold->sinks[i].is_broken = true;
        }
    }
}

/* HR_AGAIN: entries changed meanwhile. */
static struct hr_status look(struct cli_refold *refold, const struct ledger *ledger)
{
    forget(refold);
    HR_TRY(ledger->feeds->heads(ledger->ctx, take_head, refold));
    for (size_t i = 0; i < refold->n_sinks; i++) {
        struct cli_refold_sink *sink = &refold->sinks[i];
        const struct feed_query all = {.sink = sink->name};
        HR_TRY(ledger->feeds->versions(ledger->ctx, sink->name, take_version, sink));
        HR_TRY(ledger->feeds->entries(ledger->ctx, &all, take_entry, sink));
    }
    HR_TRY(ledger->feeds->heads(ledger->ctx, look_for_change, refold));
    for (size_t i = 0; i < refold->n_sinks; i++) {
        if (refold->sinks[i].is_broken) {
            return hr_status_of(HR_AGAIN);
        }
    }
    return hr_ok();
}

struct hr_status cli_refold_begin(struct cli_refold *refold, const struct ledger *ledger, uint64_t first_leaf,
                                  struct cli_findings *findings)
{
    *refold = (struct cli_refold){.findings = findings};
    struct hr_status status = hr_status_of(HR_AGAIN);
    for (int i = 0; i < MAX_LOOKS && hr_is(status, HR_AGAIN); i++) {
        status = look(refold, ledger);
    }
    HR_TRY(status);
    for (size_t i = 0; i < refold->n_sinks; i++) {
        struct cli_refold_sink *sink = &refold->sinks[i];
        sink->first_leaf = first_leaf;
        sink->fold = calloc(1, sizeof *sink->fold);
        if (sink->fold == NULL) {
            return hr_status_of(HR_IO);
        }
        start_fold(sink);
    }
    return hr_ok();
}

void cli_refold_free(struct cli_refold *refold)
{
    forget(refold);
}

/* ---- batches ---- */

static void put_event(void *ctx, const struct norm_event *event)
{
    struct agg_fold *fold = ctx;
    (void)agg_fold_event(fold, agg_fold_feed_of(fold, event->schema), event, AGG_CONTENT_UNKNOWN);
}

void cli_refold_batch(struct cli_refold *refold, uint64_t leaf, const struct norm_input *input)
{
    for (size_t i = 0; i < refold->n_sinks; i++) {
        struct cli_refold_sink *sink = &refold->sinks[i];
        if (sink->is_broken || leaf >= sink->next_leaf) {
            continue;
        }
        if (input == NULL || sink->fold->next_leaf != leaf ||
            (!agg_fold_has_room(sink->fold) && !hr_is_ok(agg_fold_store(sink->fold, true)))) {
            sink->is_broken = true;
            continue;
        }
        const struct norm_emit emit = {put_event, sink->fold};
        agg_fold_begin(sink->fold);
        agg_fold_batch(sink->fold, input->batch);
        (void)norm_batch(cli_normalizers(), CLI_REFOLD_N_NORMALIZERS, input, &emit);
        sink->is_broken = !hr_is_ok(agg_fold_batch_end(sink->fold));
        agg_fold_commit(sink->fold);
    }
}

/* ---- the comparison ---- */

static bool all_current(const struct cli_refold_sink *sink, uint64_t first, uint64_t last)
{
    bool is_known = false;
    for (size_t i = 0; i < sink->n_versions; i++) {
        const struct feed_version *version = &sink->versions[i];
        uint64_t end = i + 1 < sink->n_versions ? sink->versions[i + 1].from_leaf : UINT64_MAX;
        if (version->from_leaf > last || end <= first) {
            continue;
        }
        if (strcmp(version->normalizers, sink->fold->normalizers) != 0 ||
            (!is_known && version->from_leaf > first)) {
            return false;
        }
        is_known = true;
    }
    return is_known;
}

bool cli_refold_is_current(const struct cli_refold *refold, const char *sink, uint64_t leaf)
{
    for (size_t i = 0; i < refold->n_sinks; i++) {
        if (strcmp(refold->sinks[i].name, sink) == 0) {
            return all_current(&refold->sinks[i], leaf, leaf);
        }
    }
    return false;
}

static void differs(struct cli_refold *refold, const struct cli_refold_sink *sink,
                    const struct feed_entry *stored, const char *what, uint64_t is, uint64_t should_be)
{
    static const struct cli_place nowhere;
    if (is != should_be) {
        cli_find(refold->findings, CLI_FINDING_FEED, &nowhere,
                 "sink %s feed %s %s: %s is %" PRIu64 ", its batches give %" PRIu64, sink->name, stored->feed,
                 stored->partition, what, is, should_be);
    }
}

static void compare(struct cli_refold *refold, struct cli_refold_sink *sink, const struct feed_entry *stored)
{
    static const struct cli_place nowhere;
    if (stored->first_leaf < sink->first_leaf) {
        sink->n_pruned++;
        return;
    }
    if (sink->is_broken || !all_current(sink, stored->first_leaf, stored->last_leaf)) {
        sink->n_other++;
        return;
    }
    sink->n_compared++;
    const struct feed_entry *folded =
        find_entry(sink->folded, sink->n_folded, stored->feed, stored->partition);
    if (folded == NULL) {
        cli_find(refold->findings, CLI_FINDING_FEED, &nowhere, "sink %s feed %s %s: no batch gives it",
                 sink->name, stored->feed, stored->partition);
        return;
    }
    differs(refold, sink, stored, "n_batches", stored->n_batches, folded->n_batches);
    differs(refold, sink, stored, "n_records", stored->n_records, folded->n_records);
    differs(refold, sink, stored, "n_events", stored->n_events, folded->n_events);
    differs(refold, sink, stored, "first_leaf", stored->first_leaf, folded->first_leaf);
    differs(refold, sink, stored, "last_leaf", stored->last_leaf, folded->last_leaf);
    differs(refold, sink, stored, "watermark_ms", (uint64_t)stored->watermark_ms,
            (uint64_t)folded->watermark_ms);
    if (sink->first_leaf == 0) {
        differs(refold, sink, stored, "n_late", stored->n_late, folded->n_late);
    }
    if (memcmp(stored->content, folded->content, sizeof stored->content) != 0) {
        cli_find(refold->findings, CLI_FINDING_FEED, &nowhere,
                 "sink %s feed %s %s: the content digest is not that of its batches", sink->name,
                 stored->feed, stored->partition);
    }
    if (stored->n_placed > stored->n_events + stored->n_revised) {
        cli_find(refold->findings, CLI_FINDING_FEED, &nowhere,
                 "sink %s feed %s %s: more positions than events", sink->name, stored->feed,
                 stored->partition);
    }
}

void cli_refold_end(struct cli_refold *refold)
{
    static const struct cli_place nowhere;
    for (size_t i = 0; i < refold->n_sinks; i++) {
        struct cli_refold_sink *sink = &refold->sinks[i];
        sink->is_broken = sink->is_broken || sink->fold->next_leaf < sink->next_leaf ||
                          !hr_is_ok(agg_fold_store(sink->fold, true));
        for (size_t k = 0; k < sink->n_stored; k++) {
            compare(refold, sink, &sink->stored[k]);
        }
        for (size_t k = 0; !sink->is_broken && k < sink->n_folded; k++) {
            const struct feed_entry *folded = &sink->folded[k];
            if (find_entry(sink->stored, sink->n_stored, folded->feed, folded->partition) == NULL &&
                all_current(sink, folded->first_leaf, folded->last_leaf)) {
                cli_find(refold->findings, CLI_FINDING_FEED, &nowhere,
                         "sink %s feed %s %s: %" PRIu64 " events and no entry", sink->name, folded->feed,
                         folded->partition, folded->n_events);
            }
        }
    }
}
