/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/base/hints.h"

#include "proto/base/assert.h"

#include <stdio.h>
#include <string.h>

void ledger_hints_init(struct ledger_hints *hints)
{
    *hints = (struct ledger_hints){.n = 0};
    HR_ASSERT(pthread_mutex_init(&hints->lock, NULL) == 0);
}

void ledger_hints_free(struct ledger_hints *hints)
{
    HR_ASSERT(pthread_mutex_destroy(&hints->lock) == 0);
}

static void lock(struct ledger_hints *hints)
{
    HR_ASSERT(pthread_mutex_lock(&hints->lock) == 0);
}

static void unlock(struct ledger_hints *hints)
{
    HR_ASSERT(pthread_mutex_unlock(&hints->lock) == 0);
}

/* Its place, or hints->n. */
static uint32_t place_of(const struct ledger_hints *hints, const char *sink)
{
    uint32_t at = 0;
    while (at < hints->n && strcmp(hints->rows[at].sink, sink) != 0) {
        at++;
    }
    return at;
}

struct hr_status ledger_hints_set(struct ledger_hints *hints, const char *sink, uint64_t next_leaf)
{
    HR_ASSERT(strlen(sink) <= LEDGER_SINK_NAME_MAX_CHARS);
    lock(hints);
    uint32_t at = place_of(hints, sink);
    bool has_room = at < LEDGER_MAX_SINKS;
    if (has_room) {
        struct ledger_hint *hint = &hints->rows[at];
        hints->n = at == hints->n ? at + 1 : hints->n;
        (void)snprintf(hint->sink, sizeof hint->sink, "%s", sink);
        hint->next_leaf = next_leaf;
        hint->is_dirty = true;
    }
    unlock(hints);
    return hr_status_of(has_room ? HR_OK : HR_FULL);
}

bool ledger_hints_find(struct ledger_hints *hints, const char *sink, uint64_t *next_leaf)
{
    lock(hints);
    uint32_t at = place_of(hints, sink);
    bool is_found = at < hints->n;
    if (is_found) {
        *next_leaf = hints->rows[at].next_leaf;
    }
    unlock(hints);
    return is_found;
}

uint32_t ledger_hints_take(struct ledger_hints *hints, struct ledger_hint out[LEDGER_MAX_SINKS])
{
    uint32_t n_dirty = 0;
    lock(hints);
    for (uint32_t i = 0; i < hints->n; i++) {
        if (hints->rows[i].is_dirty) {
            out[n_dirty++] = hints->rows[i];
            hints->rows[i].is_dirty = false;
        }
    }
    unlock(hints);
    return n_dirty;
}
