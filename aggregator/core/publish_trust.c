/* SPDX-License-Identifier: Apache-2.0
 *
 * Audit entries on their way to the sink: each once, in their order, in a transaction whose leaves reach as
 * far as the log did when the entry was committed. */
#include "aggregator/core/publish_internal.h"
#include "aggregator/normalize/trust/trust.h"
#include "proto/base/assert.h"

/* Pages of what is delivered are only passed over, up to so many at a time. */
enum { PAGE_ENTRIES = 128, MAX_PAGES = 256, LOOK_EVERY_US = 500000 };

struct page {
    struct agg_transaction *transaction;
    uint32_t n_rows;
    bool is_stopped; /* at an entry whose time has not come */
};

void agg_publish_entries_reset(struct agg_publish *publish, uint64_t n_delivered)
{
    publish->entries = (struct agg_publish_entries){.n_delivered = n_delivered};
}

static void put_entry(void *ctx, const struct ledger_audit *row)
{
    struct page *page = ctx;
    struct agg_transaction *transaction = page->transaction;
    struct agg_publish *publish = transaction->publish;
    struct agg_publish_entries *entries = &publish->entries;
    page->is_stopped =
        page->is_stopped || !hr_is_ok(transaction->status) || row->leaf > transaction->next_leaf;
    if (page->is_stopped) {
        return;
    }
    page->n_rows++;
    entries->last_id = row->id;
    if (++entries->n_seen <= entries->n_delivered) {
        return;
    }
    struct norm_trust_event made;
    size_t len_bytes = 0;
    size_t own_at = 0;
    norm_trust_fill(row, entries->n_seen, &made);
    struct hr_status encoded = publish->config.encoder->encode(
        &made.event, 0, publish->value + SINK_ROOM_BYTES, AGG_PUBLISH_MAX_VALUE_BYTES, &len_bytes, &own_at);
    HR_ASSERT(hr_is_ok(encoded)); /* texts of 63 bytes */
    transaction->status = agg_transaction_begin(transaction);
    if (hr_is_ok(transaction->status)) {
        const struct sink *sink = publish->config.sink;
        transaction->status = sink->put_entry(sink->ctx, &made.event, publish->value + SINK_ROOM_BYTES,
                                              len_bytes, entries->n_seen);
    }
    transaction->n_entries++;
}

/* A page of the audit. False: it ends there, for now. */
static bool read_page(struct agg_transaction *transaction)
{
    const struct ledger *ledger = transaction->publish->config.ledger;
    struct agg_publish_entries *entries = &transaction->publish->entries;
    struct page page = {.transaction = transaction};
    const struct ledger_page wanted = {entries->last_id, PAGE_ENTRIES};
    struct hr_status read = ledger->list_audits(ledger->ctx, 0, &wanted, put_entry, &page);
    bool is_end = hr_is_ok(read) && page.n_rows < PAGE_ENTRIES && !page.is_stopped;
    if (is_end && entries->n_seen < entries->n_delivered) {
        entries->n_delivered = entries->n_seen; /* a ledger of before: what it goes on with is new */
    }
    return hr_is_ok(read) && page.n_rows == PAGE_ENTRIES;
}

void agg_publish_entries(struct agg_transaction *transaction)
{
    const struct agg_publish_config *config = &transaction->publish->config;
    struct agg_publish_entries *entries = &transaction->publish->entries;
    const uint64_t now_us = config->clock->monotonic_us(config->clock->ctx);
    if (config->sink->put_entry == NULL || config->ledger->list_audits == NULL ||
        now_us < entries->look_at_us) {
        return;
    }
    bool has_more = true;
    for (uint32_t i = 0; i < MAX_PAGES && has_more && transaction->n_entries == 0; i++) {
        has_more = read_page(transaction);
    }
    entries->look_at_us = has_more ? now_us : now_us + LOOK_EVERY_US; /* also when it can't be read now */
}
