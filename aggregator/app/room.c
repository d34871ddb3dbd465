/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/room.h"

#include "aggregator/app/log.h"
#include "aggregator/app/time.h"
#include "proto/base/failpoint.h"

enum { STEP_BATCHES = 256, TURN_MS = 200, TURN_EVERY_MS = 100, RETENTION_EVERY_MS = 1000, RETRY_MS = 10000 };
/* Batches of later leaves may have been received so much before the first one, by a clock that was set back.
 */
enum { CLOCK_STEP_MS = 24 * 3600 * 1000 };

static struct hr_status look(struct app_room *room, struct ledger_room *now)
{
    const struct ledger *ledger = room->config.ledger;
    *now = (struct ledger_room){.why_full = NULL};
    if (ledger->room != NULL) {
        HR_TRY(ledger->room(ledger->ctx, now));
    }
    atomic_store(&room->used_bytes, now->used_bytes);
    atomic_store(&room->max_bytes, now->max_bytes);
    atomic_store(&room->why_full, now->why_full);
    return hr_ok();
}

static void show_first_leaf(struct app_room *room)
{
    const struct ledger *ledger = room->config.ledger;
    uint64_t first_leaf = 0;
    if (hr_is_ok(ledger->first_leaf(ledger->ctx, &first_leaf))) {
        atomic_store(&room->first_leaf, first_leaf);
    }
}

/* Deletes in small transactions, so that commits come in between, until nothing more is to go, there is room
 * again (with while_scarce), or the turn is over. *n_pruned counts on. */
static struct hr_status prune(struct app_room *room, int64_t before_ms, bool while_scarce, uint64_t *n_pruned)
{
    const struct ledger *ledger = room->config.ledger;
    uint64_t delivered = room->config.delivered(room->config.ctx);
    const struct ledger_prune limits = {
        .below_leaf = delivered > room->config.n_spared ? delivered - room->config.n_spared : 0,
        .before_ms = before_ms,
        .max_batches = STEP_BATCHES,
        .keep_facts_ms = (int64_t)room->config.revisions_ms + CLOCK_STEP_MS};
    uint64_t until_ms = app_monotonic_ms() + TURN_MS;
    bool goes_on = true;
    while (goes_on) {
        uint64_t n = 0;
        struct hr_status status = ledger->prune(ledger->ctx, &limits, &n);
        if (n > 0) {
            HR_FAILPOINT("retention_pruned");
        }
        if (hr_is(status, HR_FULL) || hr_is(status, HR_AGAIN)) {
            return hr_ok(); /* no space even for that, or the database is away: another time */
        }
        HR_TRY(status);
        struct ledger_room now;
        HR_TRY(look(room, &now));
        *n_pruned += n;
        goes_on = n == STEP_BATCHES && (now.is_scarce || !while_scarce) && app_monotonic_ms() < until_ms;
    }
    atomic_fetch_add(&room->n_pruned, *n_pruned);
    if (*n_pruned > 0) {
        show_first_leaf(room);
    }
    return hr_ok();
}

static struct hr_status prune_what_is_old(struct app_room *room)
{
    uint64_t now_ms = app_monotonic_ms();
    if (room->config.retention_ms == 0 || now_ms < room->next_retention_ms) {
        return hr_ok();
    }
    uint64_t n_pruned = 0;
    int64_t before_ms = app_clock()->utc_ms(NULL) - (int64_t)room->config.retention_ms;
    HR_TRY(prune(room, before_ms, false, &n_pruned));
    /* While there is much to do the next turn comes at once. */
    room->next_retention_ms = n_pruned >= STEP_BATCHES ? now_ms : now_ms + RETENTION_EVERY_MS;
    return hr_ok();
}

static struct hr_status prune_what_is_delivered(struct app_room *room)
{
    uint64_t n_pruned = 0;
    HR_TRY(prune(room, INT64_MAX, true, &n_pruned));
    if (n_pruned > 0 && !room->is_shortened) {
        room->is_shortened = true;
        APP_LOG(APP_WARN, "retention_shortened",
                app_text("why", "room in the ledger is scarce: delivered batches go before their time"),
                app_number("first_leaf", atomic_load(&room->first_leaf)));
    }
    return hr_ok();
}

static struct hr_status take_turn(struct app_room *room)
{
    struct ledger_room now;
    HR_TRY(look(room, &now));
    HR_TRY(now.is_scarce ? prune_what_is_delivered(room) : prune_what_is_old(room));
    room->config.looked(room->config.ctx, atomic_load(&room->why_full));
    return hr_ok();
}

/* What fails here fails for commits too, and there it is decided what becomes of the process. */
static uint32_t note_turn(struct app_room *room, struct hr_status status)
{
    bool has_failed = !hr_is_ok(status);
    atomic_fetch_add(&room->n_turns, has_failed ? 0 : 1);
    if (has_failed && !room->has_failed) {
        APP_LOG(APP_ERROR, "retention_failed", app_text("why", hr_code_name(status.code)));
    }
    room->has_failed = has_failed;
    return has_failed ? RETRY_MS : TURN_EVERY_MS;
}

/* False: the end. */
static bool wait_for_turn(struct app_room *room, uint32_t wait_ms)
{
    struct timespec deadline = app_deadline_in_ms(wait_ms);
    (void)pthread_mutex_lock(&room->lock);
    int waited = 0;
    while (!room->is_ending && waited == 0) {
        waited = pthread_cond_timedwait(&room->ended, &room->lock, &deadline);
    }
    bool goes_on = !room->is_ending;
    (void)pthread_mutex_unlock(&room->lock);
    return goes_on;
}

static void *run(void *ctx)
{
    struct app_room *room = ctx;
    show_first_leaf(room);
    for (uint32_t wait_ms = TURN_EVERY_MS; wait_for_turn(room, wait_ms);) {
        wait_ms = note_turn(room, take_turn(room));
    }
    return NULL;
}

void app_room_init(struct app_room *room, const struct app_room_config *config)
{
    room->config = *config;
    (void)pthread_mutex_init(&room->lock, NULL);
    app_cond_init(&room->ended);
}

struct hr_status app_room_start(struct app_room *room)
{
    return hr_status_of(pthread_create(&room->thread, NULL, run, room) == 0 ? HR_OK : HR_IO);
}

void app_room_stop(struct app_room *room)
{
    (void)pthread_mutex_lock(&room->lock);
    room->is_ending = true;
    (void)pthread_cond_signal(&room->ended);
    (void)pthread_mutex_unlock(&room->lock);
    (void)pthread_join(room->thread, NULL);
    (void)pthread_cond_destroy(&room->ended);
    (void)pthread_mutex_destroy(&room->lock);
}

const char *app_room_why_full(struct app_room *room)
{
    struct ledger_room now;
    hr_ignore(look(room, &now)); /* what fails here fails again, where it ends the process */
    return now.why_full;
}
