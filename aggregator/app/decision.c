/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/decision.h"

#include "aggregator/app/time.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct app_decision {
    struct app_item item;
    atomic_int n_holders; /* the asking thread and the core thread; the last one frees */
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool is_answered;
    struct hr_status status;
    struct agg_decided decided;
    struct agg_decision decision;
    char actor[LEDGER_NAME_MAX_CHARS + 1];
    char reason[LEDGER_NAME_MAX_CHARS + 1];
    struct agg_shown shown;
    bool is_enrolling; /* then these two count */
    struct agg_enrolling enrolling;
    struct agg_enrolled enrolled;
};

static void let_go(struct app_decision *decision)
{
    if (atomic_fetch_sub(&decision->n_holders, 1) == 1) {
        (void)pthread_cond_destroy(&decision->answered);
        (void)pthread_mutex_destroy(&decision->lock);
        free(decision);
    }
}

static struct app_decision *make(void)
{
    struct app_decision *decision = calloc(1, sizeof *decision);
    if (decision == NULL) {
        return NULL;
    }
    decision->item = (struct app_item){.kind = APP_ITEM_DECISION, .owner = decision};
    atomic_store(&decision->n_holders, 2);
    (void)pthread_mutex_init(&decision->lock, NULL);
    app_cond_init(&decision->answered);
    return decision;
}

/* Hands it over and waits; `keep` takes the answer. It belongs to nobody afterwards. */
static struct hr_status ask(struct app_inbox *inbox, struct app_decision *decision, uint32_t wait_ms,
                            void (*keep)(const struct app_decision *decision, void *out), void *out)
{
    struct hr_status status = app_inbox_put(inbox, &decision->item);
    if (!hr_is_ok(status)) {
        atomic_store(&decision->n_holders, 1); /* it was not handed over */
        let_go(decision);
        return status;
    }
    struct timespec deadline = app_deadline_in_ms(wait_ms);
    int waited = 0;
    (void)pthread_mutex_lock(&decision->lock);
    while (!decision->is_answered && waited == 0) {
        waited = pthread_cond_timedwait(&decision->answered, &decision->lock, &deadline);
    }
    status = decision->is_answered ? decision->status : hr_status_of(HR_IO);
    if (hr_is_ok(status) || hr_is(status, HR_DENIED)) {
        keep(decision, out);
    }
    (void)pthread_mutex_unlock(&decision->lock);
    let_go(decision);
    return status;
}

static void keep_decided(const struct app_decision *decision, void *out)
{
    *(struct agg_decided *)out = decision->decided;
}

/* With a copy of what is wanted; NULL: no memory. */
static struct app_decision *make_of(const struct agg_decision *wanted)
{
    struct app_decision *decision = make();
    if (decision == NULL) {
        return NULL;
    }
    decision->decision = *wanted;
    (void)snprintf(decision->actor, sizeof decision->actor, "%s", wanted->actor);
    (void)snprintf(decision->reason, sizeof decision->reason, "%s", wanted->reason);
    decision->decision.actor = decision->actor;
    decision->decision.reason = decision->reason;
    if (wanted->shown != NULL) {
        decision->shown = *wanted->shown;
        decision->decision.shown = &decision->shown;
    }
    return decision;
}

struct hr_status app_decision_ask(struct app_inbox *inbox, const struct agg_decision *wanted,
                                  uint32_t wait_ms, struct agg_decided *out)
{
    struct app_decision *decision = make_of(wanted);
    return decision != NULL ? ask(inbox, decision, wait_ms, keep_decided, out) : hr_status_of(HR_AGAIN);
}

struct hr_status app_decision_tell(struct app_inbox *inbox, const struct agg_decision *wanted)
{
    struct app_decision *decision = make_of(wanted);
    if (decision == NULL) {
        return hr_status_of(HR_AGAIN);
    }
    atomic_store(&decision->n_holders, 1); /* nobody waits */
    struct hr_status status = app_inbox_put(inbox, &decision->item);
    if (!hr_is_ok(status)) {
        let_go(decision);
    }
    return status;
}

static void keep_enrolled(const struct app_decision *decision, void *out)
{
    *(struct agg_enrolled *)out = decision->enrolled;
}

struct hr_status app_enrolling_ask(struct app_inbox *inbox, const struct agg_enrolling *wanted,
                                   uint32_t wait_ms, struct agg_enrolled *out)
{
    struct app_decision *decision = make();
    if (decision == NULL) {
        return hr_status_of(HR_AGAIN);
    }
    decision->is_enrolling = true;
    decision->enrolling = *wanted;
    return ask(inbox, decision, wait_ms, keep_enrolled, out);
}

void app_key_reason(const uint8_t key[WIRE_DIGEST_BYTES], char out[LEDGER_NAME_MAX_CHARS + 1])
{
    enum { SHOWN_BYTES = 8 };
    size_t len = (size_t)snprintf(out, LEDGER_NAME_MAX_CHARS + 1, "transport key ");
    for (size_t i = 0; i < SHOWN_BYTES; i++) {
        len += (size_t)snprintf(out + len, LEDGER_NAME_MAX_CHARS + 1 - len, "%02x", key[i]);
    }
}

static void answer(struct app_decision *decision)
{
    (void)pthread_mutex_lock(&decision->lock);
    decision->is_answered = true;
    (void)pthread_cond_signal(&decision->answered);
    (void)pthread_mutex_unlock(&decision->lock);
    let_go(decision);
}

bool app_decision_make(struct app_decision *decision, struct agg_core *core)
{
    const struct agg_decision *wanted = &decision->decision;
    if (decision->is_enrolling) {
        decision->status = agg_enrol(core, &decision->enrolling, &decision->enrolled);
    } else if (wanted->kind == AGG_RENEWAL) {
        decision->status = agg_renewal(core, wanted, &decision->decided);
    } else if (wanted->kind == AGG_FIRST_SEEN) {
        decision->status = agg_key_seen(core, wanted, &decision->decided);
    } else {
        decision->status = agg_decide(core, wanted, &decision->decided);
    }
    bool waits = agg_group_waiting(core) > 0;
    if (!waits) {
        answer(decision);
    }
    return waits;
}

void app_decision_settle(struct app_decision *decision, struct hr_status group)
{
    if (!hr_is_ok(group)) {
        decision->status = hr_status_of(hr_is(group, HR_FULL) ? HR_FULL : HR_AGAIN);
    }
    answer(decision);
}
