/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/verify/envelope.h"

#include "proto/base/assert.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct verify_pool {
    struct verify_pool_config config;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct verify_job *first; /* waiting jobs, oldest first */
    struct verify_job *last;
    uint32_t n_waiting;
    bool is_stopping;
    uint32_t n_threads; /* that run */
    pthread_t threads[VERIFY_MAX_THREADS];
};

static void judge(struct verify_keyring *keyring, struct verify_job *job)
{
    struct verify_result *result = &job->result;
    verify_split(job->envelope, result);
    if (result->verdict != WIRE_ACK_OK) {
        return;
    }
    const struct wire_header *header = &result->parts.header;
    if (header->device_id != job->certified_device_id) {
        result->verdict = WIRE_ACK_UNKNOWN_DEVICE;
        return;
    }
    struct verify_key *key = verify_keyring_take(keyring, header->device_id, header->key_epoch);
    if (key == NULL) {
        result->verdict = WIRE_ACK_UNKNOWN_KEY;
        return;
    }
    verify_parts(key, result);
    verify_key_free(key);
}

/* The oldest job; waits for one. NULL: the pool stops and no job is left. */
static struct verify_job *take(struct verify_pool *pool)
{
    HR_ASSERT(pthread_mutex_lock(&pool->lock) == 0);
    while (pool->first == NULL && !pool->is_stopping) {
        HR_ASSERT(pthread_cond_wait(&pool->work, &pool->lock) == 0);
    }
    struct verify_job *job = pool->first;
    if (job != NULL) {
        pool->first = job->next;
        pool->n_waiting--;
    }
    HR_ASSERT(pthread_mutex_unlock(&pool->lock) == 0);
    return job;
}

static void *run_worker(void *arg)
{
    struct verify_pool *pool = arg;
    for (struct verify_job *job = take(pool); job != NULL; job = take(pool)) {
        job->next = NULL;
        judge(pool->config.keyring, job);
        pool->config.done(pool->config.ctx, job);
    }
    return NULL;
}

/* Signals are the main thread's: workers inherit a full mask. */
static struct hr_status start_threads(struct verify_pool *pool)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    HR_ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    struct hr_status status = hr_ok();
    while (hr_is_ok(status) && pool->n_threads < pool->config.n_threads) {
        if (pthread_create(&pool->threads[pool->n_threads], NULL, run_worker, pool) == 0) {
            pool->n_threads++;
        } else {
            status = hr_status_of(HR_IO);
        }
    }
    HR_ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return status;
}

struct hr_status verify_pool_start(const struct verify_pool_config *config, struct verify_pool **out)
{
    HR_ASSERT(config->n_threads > 0 && config->n_threads <= VERIFY_MAX_THREADS && config->capacity_jobs > 0);
    struct verify_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return hr_status_of(HR_IO);
    }
    pool->config = *config;
    HR_ASSERT(pthread_mutex_init(&pool->lock, NULL) == 0 && pthread_cond_init(&pool->work, NULL) == 0);
    struct hr_status status = start_threads(pool);
    if (!hr_is_ok(status)) {
        verify_pool_stop(pool);
        return status;
    }
    *out = pool;
    return hr_ok();
}

struct hr_status verify_pool_submit(struct verify_pool *pool, struct verify_job *job)
{
    HR_ASSERT(pthread_mutex_lock(&pool->lock) == 0);
    enum hr_code code = HR_OK;
    if (pool->is_stopping) {
        code = HR_CLOSED;
    } else if (pool->n_waiting == pool->config.capacity_jobs) {
        code = HR_FULL;
    } else {
        job->next = NULL;
        if (pool->first == NULL) {
            pool->first = job;
        } else {
            pool->last->next = job;
        }
        pool->last = job;
        pool->n_waiting++;
        HR_ASSERT(pthread_cond_signal(&pool->work) == 0);
    }
    HR_ASSERT(pthread_mutex_unlock(&pool->lock) == 0);
    return hr_status_of(code);
}

void verify_pool_stop(struct verify_pool *pool)
{
    HR_ASSERT(pthread_mutex_lock(&pool->lock) == 0);
    pool->is_stopping = true;
    HR_ASSERT(pthread_cond_broadcast(&pool->work) == 0);
    HR_ASSERT(pthread_mutex_unlock(&pool->lock) == 0);
    for (uint32_t i = 0; i < pool->n_threads; i++) {
        HR_ASSERT(pthread_join(pool->threads[i], NULL) == 0);
    }
    HR_ASSERT(pthread_cond_destroy(&pool->work) == 0 && pthread_mutex_destroy(&pool->lock) == 0);
    free(pool);
}
