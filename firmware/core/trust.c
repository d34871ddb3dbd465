/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/trust.h"

#include "firmware/core/counters.h"
#include "proto/base/assert.h"

#include <string.h>

/* ---- at start ---- */

/* Reads a copy into the page that is not in use; true: it is newer than what is here, and checks. */
static bool read_copy(struct fw_trust *trust, uint32_t copy, struct trust_bundle *out)
{
    uint8_t *page = fw_trust_room(trust);
    size_t len_bytes = 0;
    struct hr_status status =
        trust->platform.load(trust->platform.ctx, copy, page, TRUST_MAX_BYTES, &len_bytes);
    return hr_is_ok(status) && hr_is_ok(trust_decode(hr_bytes_of(page, len_bytes), out)) &&
           (!trust->has_bundle || out->version > trust->bundle.version) &&
           hr_is_ok(trust_check_first(out, trust->hash, &trust->verify)) &&
           hr_is_ok(trust->platform.usable(trust->platform.ctx, out));
}

static void take(struct fw_trust *trust, uint32_t copy, const struct trust_bundle *bundle)
{
    trust->page = trust->has_bundle ? 1 - trust->page : 1;
    trust->has_bundle = true;
    trust->copy = copy;
    trust->bundle = *bundle;
}

struct hr_status fw_trust_open(struct fw_trust *trust, const struct fw_trust_platform *platform,
                               const struct wire_hash *hash, const struct trust_verify *verify)
{
    memset(trust, 0, sizeof *trust);
    trust->platform = *platform;
    trust->hash = hash;
    trust->verify = *verify;
    for (uint32_t copy = 0; copy < FW_TRUST_COPIES; copy++) {
        struct trust_bundle found;
        if (read_copy(trust, copy, &found)) {
            take(trust, copy, &found);
        }
    }
    if (!trust->has_bundle) {
        return hr_status_of(HR_NOT_FOUND);
    }
    return trust->platform.adopt(trust->platform.ctx, &trust->bundle);
}

/* ---- the next one ---- */

uint32_t fw_trust_version(const struct fw_trust *trust)
{
    return trust->has_bundle ? trust->bundle.version : 0;
}

uint8_t *fw_trust_room(struct fw_trust *trust)
{
    return trust->pages[trust->has_bundle ? 1 - trust->page : 1];
}

static struct hr_status refuse(struct fw_trust *trust, enum trust_refusal refusal, const char **why)
{
    uint64_t *const counters[] = {[TRUST_STALE] = &trust->counters.stale,
                                  [TRUST_SKIPPED] = &trust->counters.skipped,
                                  [TRUST_NOT_BY_OLD] = &trust->counters.not_by_old,
                                  [TRUST_NOT_BY_NEW] = &trust->counters.not_by_new};
    (*counters[refusal])++;
    *why = trust_refusal_name(refusal);
    return hr_status_of(HR_DENIED);
}

/* Writes the copy that is not in use, and sees that it can be read again. The bytes are spent: what was
 * read takes their place. */
static struct hr_status store(struct fw_trust *trust, uint32_t copy, struct trust_bundle *next)
{
    const struct fw_trust_platform *platform = &trust->platform;
    uint8_t wanted[WIRE_DIGEST_BYTES];
    uint8_t found[WIRE_DIGEST_BYTES];
    size_t len_bytes = 0;
    struct hr_bytes bytes = trust_whole(next);
    wire_sha256(trust->hash, &bytes, 1, wanted);
    HR_TRY(platform->save(platform->ctx, copy, bytes));
    uint8_t *page = fw_trust_room(trust);
    HR_TRY(platform->load(platform->ctx, copy, page, TRUST_MAX_BYTES, &len_bytes));
    bytes = hr_bytes_of(page, len_bytes);
    wire_sha256(trust->hash, &bytes, 1, found);
    return memcmp(wanted, found, sizeof wanted) == 0 ? trust_decode(bytes, next) : hr_status_of(HR_IO);
}

static struct hr_status follow(struct fw_trust *trust, struct trust_bundle *next)
{
    uint32_t copy = 1 - trust->copy;
    HR_TRY(store(trust, copy, next));
    HR_TRY(trust->platform.adopt(trust->platform.ctx, next));
    take(trust, copy, next);
    trust->counters.adopted++;
    return hr_ok();
}

struct hr_status fw_trust_offer(struct fw_trust *trust, struct hr_bytes bytes, const char **why)
{
    HR_ASSERT(trust->has_bundle);
    struct trust_bundle next;
    enum trust_refusal refusal = TRUST_STALE;
    *why = "malformed";
    if (!hr_is_ok(trust_decode(bytes, &next))) {
        trust->counters.malformed++;
        return hr_status_of(HR_DENIED);
    }
    struct hr_status status = trust_check_next(&trust->bundle, &next, trust->hash, &trust->verify, &refusal);
    if (hr_is(status, HR_DENIED)) {
        return refuse(trust, refusal, why);
    }
    if (hr_is_ok(status) && !hr_is_ok(trust->platform.usable(trust->platform.ctx, &next))) {
        trust->counters.malformed++;
        return hr_status_of(HR_DENIED);
    }
    if (hr_is_ok(status)) {
        status = follow(trust, &next);
    }
    if (!hr_is_ok(status)) {
        trust->counters.failed++;
        *why = "failed";
        return hr_status_of(HR_IO);
    }
    return status;
}

#define COUNTER(name) {#name, offsetof(struct fw_trust_counters, name)}

void fw_trust_stats(void *ctx, struct edge_stats *out)
{
    static const struct fw_counter table[] = {COUNTER(adopted),    COUNTER(stale),      COUNTER(skipped),
                                              COUNTER(not_by_old), COUNTER(not_by_new), COUNTER(malformed),
                                              COUNTER(failed)};
    const struct fw_trust *trust = ctx;
    fw_counters_to_stats("trust", table, HR_ARRAY_LEN(table), &trust->counters, out);
}
