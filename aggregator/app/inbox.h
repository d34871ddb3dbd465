/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes to the core thread, in the order in which it came: judged batches, questions, registry
 * entries and decisions. One taker, any number of givers. */
#ifndef APP_INBOX_H
#define APP_INBOX_H

#include "proto/base/status.h"

#include <pthread.h>
#include <stdint.h>

enum app_item_kind { APP_ITEM_BATCH, APP_ITEM_HEAD, APP_ITEM_DEVICE, APP_ITEM_DECISION, APP_ITEM_BUNDLE };

/* Part of whatever is sent. */
struct app_item {
    enum app_item_kind kind;
    void *owner; /* the whole: a struct app_batch, app_head, app_device, app_decision or app_bundle */
    struct app_item *next;
};

struct app_inbox {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct app_item *first;
    struct app_item *last;
    bool closed;
};

void app_inbox_init(struct app_inbox *inbox);
/* HR_CLOSED: nothing is taken any more; the item stays the caller's. [any thread] */
HR_MUST_USE struct hr_status app_inbox_put(struct app_inbox *inbox, struct app_item *item);
/* Everything there is, as a list in order; waits up to wait_ms for the first. NULL: nothing came. [core
 * thread] */
struct app_item *app_inbox_take(struct app_inbox *inbox, uint32_t wait_ms);
/* No more is taken from givers; what is there can still be taken. */
void app_inbox_close(struct app_inbox *inbox);
bool app_inbox_is_closed(struct app_inbox *inbox);
void app_inbox_free(struct app_inbox *inbox);

#endif
