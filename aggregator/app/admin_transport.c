/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport keys of a device as the admin API shows them. */
#include "aggregator/app/admin.h"

#include "aggregator/app/app.h"
#include "aggregator/app/reply.h"
#include "aggregator/app/time.h"
#include "aggregator/renew/renew.h"

#include <inttypes.h>

enum { SHOWN = 16 }; /* the newest ones: a device has as many as it asked for */

struct newest {
    struct ledger_certificate rows[SHOWN];
    uint32_t n;
};

static void keep(void *ctx, const struct ledger_certificate *row)
{
    struct newest *newest = ctx;
    newest->rows[newest->n++ % SHOWN] = *row;
}

static const char *state_of(const struct ledger_certificate *row, int64_t now_utc_ms)
{
    if (row->is_barred) {
        return "replaced";
    }
    if (row->ends_utc_ms != 0) {
        return row->ends_utc_ms <= now_utc_ms ? "over" : "superseded";
    }
    return row->used_utc_ms != 0 ? "in use" : "issued";
}

static void add_time(struct app_reply *text, const char *key, int64_t utc_ms)
{
    if (utc_ms != 0) {
        (void)app_reply_add(text, ",");
        app_reply_time(text, key, utc_ms);
    }
}

static void add_row(struct app_reply *text, const struct ledger_certificate *row, int64_t now_utc_ms)
{
    int64_t expires_utc_ms = 0;
    (void)app_reply_add(text, "{\"number\":%" PRIu32 ",\"transport_key\":\"", row->number);
    for (size_t i = 0; i < sizeof row->key; i++) {
        (void)app_reply_add(text, "%02x", row->key[i]);
    }
    (void)app_reply_add(text, "\",\"key_state\":\"%s\"", state_of(row, now_utc_ms));
    add_time(text, "issued", row->issued_utc_ms);
    add_time(text, "first_used", row->used_utc_ms);
    add_time(text, "ends", row->ends_utc_ms);
    const struct hr_bytes certificate = hr_bytes_of(row->certificate, row->certificate_len_bytes);
    if (hr_is_ok(renew_certificate_ends(certificate, &expires_utc_ms))) {
        add_time(text, "expires", expires_utc_ms);
    }
    (void)app_reply_add(text, "}");
}

struct hr_status app_admin_transport(const struct app *app, uint64_t device_id, struct app_reply *text)
{
    static struct newest newest; /* one http thread */
    const struct agg_clock *clock = app_clock();
    newest.n = 0;
    if (app->ledger.certificates != NULL) {
        HR_TRY(app->ledger.certificates(app->ledger.ctx, device_id, keep, &newest));
    }
    const uint32_t first = newest.n > SHOWN ? newest.n - SHOWN : 0;
    for (uint32_t i = first; i < newest.n; i++) {
        (void)app_reply_add(text, i == first ? "],\"transport_keys\":[\n" : ",\n");
        add_row(text, &newest.rows[i % SHOWN], clock->utc_ms(clock->ctx));
    }
    return hr_ok();
}
