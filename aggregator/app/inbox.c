/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/inbox.h"

#include "aggregator/app/time.h"

void app_inbox_init(struct app_inbox *inbox)
{
    *inbox = (struct app_inbox){0};
    (void)pthread_mutex_init(&inbox->lock, NULL);
    app_cond_init(&inbox->filled);
}

struct hr_status app_inbox_put(struct app_inbox *inbox, struct app_item *item)
{
    (void)pthread_mutex_lock(&inbox->lock);
    bool closed = inbox->closed;
    if (!closed) {
        item->next = NULL;
        if (inbox->last != NULL) {
            inbox->last->next = item;
        } else {
            inbox->first = item;
            (void)pthread_cond_signal(&inbox->filled);
        }
        inbox->last = item;
    }
    (void)pthread_mutex_unlock(&inbox->lock);
    return hr_status_of(closed ? HR_CLOSED : HR_OK);
}

struct app_item *app_inbox_take(struct app_inbox *inbox, uint32_t wait_ms)
{
    struct timespec deadline = app_deadline_in_ms(wait_ms);
    (void)pthread_mutex_lock(&inbox->lock);
    int waited = 0;
    while (inbox->first == NULL && !inbox->closed && wait_ms > 0 && waited == 0) {
        waited = pthread_cond_timedwait(&inbox->filled, &inbox->lock, &deadline);
    }
    struct app_item *list = inbox->first;
    inbox->first = NULL;
    inbox->last = NULL;
    (void)pthread_mutex_unlock(&inbox->lock);
    return list;
}

void app_inbox_close(struct app_inbox *inbox)
{
    (void)pthread_mutex_lock(&inbox->lock);
    inbox->closed = true;
    (void)pthread_cond_signal(&inbox->filled);
    (void)pthread_mutex_unlock(&inbox->lock);
}

bool app_inbox_is_closed(struct app_inbox *inbox)
{
    (void)pthread_mutex_lock(&inbox->lock);
    bool closed = inbox->closed;
    (void)pthread_mutex_unlock(&inbox->lock);
    return closed;
}

void app_inbox_free(struct app_inbox *inbox)
{
    (void)pthread_cond_destroy(&inbox->filled);
    (void)pthread_mutex_destroy(&inbox->lock);
}
