/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/internal.h"

#include <string.h>

static const struct ledger_key *newest_key(const struct ledger_device *entry)
{
    const struct ledger_key *newest = NULL;
    for (uint32_t i = 0; i < entry->n_keys; i++) {
        const struct ledger_key *key = &entry->keys[i];
        if (!key->revoked && (newest == NULL || key->epoch > newest->epoch)) {
            newest = key;
        }
    }
    return newest;
}

static void digest_of_key(const struct agg_core *core, const struct ledger_device *entry,
                          uint8_t out[WIRE_DIGEST_BYTES])
{
    const struct ledger_key *key = newest_key(entry);
    memset(out, 0, WIRE_DIGEST_BYTES);
    if (key != NULL) {
        const struct hr_bytes spki = hr_bytes_of(key->spki, key->spki_len_bytes);
        wire_sha256(core->ports.hash, &spki, 1, out);
    }
}

/* Copies text that fits, or its beginning; the rest stays zero. */
static void put_text(char *out, size_t capacity, const char *text)
{
    size_t len = strlen(text);
    memcpy(out, text, len < capacity ? len : capacity - 1);
}

void agg_audit(struct agg_core *core, const struct agg_device *device, const struct ledger_device *before,
               const struct agg_cause *cause)
{
    struct agg_group *group = &core->group;
    HR_ASSERT(group->n_audits < GROUP_MAX_AUDITS);
    const struct ledger_device *now = &device->state.entry;
    struct ledger_audit *row = &group->audits[group->n_audits++];
    *row = (struct ledger_audit){.device_id = device->device_id,
                                 .at_utc_ms = core->ports.clock.utc_ms(core->ports.clock.ctx),
                                 .is_first = before == NULL,
                                 .old_state = before == NULL ? LEDGER_DEVICE_ENROLLED : before->state,
                                 .new_state = now->state,
                                 .revision = now->revision};
    put_text(row->actor, sizeof row->actor, cause->actor);
    put_text(row->action, sizeof row->action, cause->action);
    put_text(row->reason, sizeof row->reason, cause->reason);
    if (before != NULL) {
        digest_of_key(core, before, row->old_key);
    }
    digest_of_key(core, now, row->new_key);
}

void agg_audit_suspect(struct agg_core *core, const struct ledger_suspect *suspect)
{
    HR_ASSERT(core->group.n_audits > 0);
    struct ledger_audit *row = &core->group.audits[core->group.n_audits - 1];
    row->is_suspect = true;
    row->suspect = *suspect;
}
