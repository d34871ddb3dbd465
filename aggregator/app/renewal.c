/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/renewal.h"

#include "aggregator/app/decision.h"
#include "aggregator/app/log.h"
#include "aggregator/app/time.h"
#include "aggregator/renew/renew.h"
#include "aggregator/verify/verify.h"
#include "proto/base/failpoint.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_JOBS = 32, AUDIT_WAIT_MS = 5000, PATH_CHARS = CONFIG_PATH_MAX_CHARS + 128 };

enum job_state { JOB_FREE, JOB_WAITING, JOB_WORKED_ON, JOB_ENDED };

/* A request, and what became of it: kept until its place is needed, for those who ask again. */
struct job {
    enum job_state state;
    uint64_t device_id;
    uint64_t turn; /* when it was asked for */
    uint8_t request_sha256[WIRE_DIGEST_BYTES];
    size_t request_len_bytes;
    uint8_t request[RENEW_REQUEST_MAX_BYTES];
    struct agg_shown session; /* its key and certificate */
    struct hr_status status;
    size_t certificate_len_bytes;
    uint8_t certificate[RENEW_CERTIFICATE_MAX_BYTES];
};

struct app_renewal {
    struct source_renewal source;
    const struct config_renewal *config;
    const struct ledger *ledger;
    struct app_inbox *inbox;
    struct renew_issuer *issuer;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t asked;
    bool stopping;
    uint64_t turn;
    struct job jobs[N_JOBS];
    struct job answered; /* what the I/O thread was lent last */
};

/* ---- the folder ---- */

/* True: an earlier version gave the key that certificate. */
static bool read_kept(const struct app_renewal *renewal, const uint8_t key[WIRE_DIGEST_BYTES],
                      struct job *job)
{
    char path[PATH_CHARS];
    char hex[2 * WIRE_DIGEST_BYTES + 1];
    for (size_t i = 0; i < WIRE_DIGEST_BYTES; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", key[i]);
    }
    (void)snprintf(path, sizeof path, "%s/%" PRIu64 "-%s.der", renewal->config->folder, job->device_id, hex);
    FILE *file = renewal->config->folder[0] != '\0' ? fopen(path, "rbe") : NULL;
    size_t len_bytes = file != NULL ? fread(job->certificate, 1, sizeof job->certificate, file) : 0;
    bool is_there = len_bytes > 0 && ferror(file) == 0;
    if (file != NULL) {
        (void)fclose(file);
    }
    job->certificate_len_bytes = is_there ? len_bytes : 0;
    return is_there;
}

/* ---- the thread ---- */

/* What the ledger has of the key, into the job. HR_NOT_FOUND: nothing. HR_DENIED: it is over, or was never
 * certified here. HR_AGAIN: it can't be read now. */
static struct hr_status recall(const struct app_renewal *renewal, const uint8_t key[WIRE_DIGEST_BYTES],
                               struct job *job)
{
    static struct ledger_certificate row; /* there is one thread */
    const struct ledger *ledger = renewal->ledger;
    const struct agg_clock *clock = app_clock();
    struct hr_status status = ledger->find_certificate(ledger->ctx, job->device_id, key, &row);
    if (!hr_is_ok(status)) {
        return hr_status_of(hr_is(status, HR_NOT_FOUND) ? HR_NOT_FOUND : HR_AGAIN);
    }
    if (row.is_barred || row.certificate_len_bytes == 0 ||
        (row.ends_utc_ms != 0 && row.ends_utc_ms <= clock->utc_ms(clock->ctx))) {
        return hr_status_of(HR_DENIED);
    }
    memcpy(job->certificate, row.certificate, row.certificate_len_bytes);
    job->certificate_len_bytes = row.certificate_len_bytes;
    return hr_ok();
}

/* Makes the certificate durable with its audit entry. One that was refused was never handed out. */
static struct hr_status keep(struct app_renewal *renewal, const struct job *job,
                             const uint8_t key[WIRE_DIGEST_BYTES])
{
    static struct agg_shown shown; /* there is one thread */
    char reason[LEDGER_NAME_MAX_CHARS + 1];
    app_key_reason(key, reason);
    shown = job->session;
    memcpy(shown.next_key, key, sizeof shown.next_key);
    memcpy(shown.next_certificate, job->certificate, job->certificate_len_bytes);
    shown.next_certificate_len_bytes = (uint16_t)job->certificate_len_bytes;
    const struct agg_decision decision = {.device_id = job->device_id,
                                          .kind = AGG_RENEWAL,
                                          .actor = "device",
                                          .reason = reason,
                                          .shown = &shown};
    struct agg_decided decided = {.why = NULL};
    struct hr_status status = app_decision_ask(renewal->inbox, &decision, AUDIT_WAIT_MS, &decided);
    if (hr_is(status, HR_DENIED)) {
        APP_LOG(APP_WARN, "certificate_refused", app_number("device_id", job->device_id),
                app_text("what", reason), app_text("why", decided.why != NULL ? decided.why : "its state"));
        return status;
    }
    return hr_is_ok(status) ? status : hr_status_of(HR_AGAIN);
}

static struct hr_status work(struct app_renewal *renewal, struct job *job)
{
    struct renew_request request;
    char name[RENEW_NAME_MAX_CHARS + 1];
    uint8_t key[WIRE_DIGEST_BYTES];
    HR_TRY(renew_request_read(hr_bytes_of(job->request, job->request_len_bytes), &request));
    (void)snprintf(name, sizeof name, "headrace-device-%016" PRIx64, job->device_id);
    if (strcmp(name, request.common_name) != 0) {
        return hr_status_of(HR_DENIED);
    }
    const struct hr_bytes spki = hr_bytes_of(request.spki, sizeof request.spki);
    wire_sha256(verify_hash(), &spki, 1, key);
    struct hr_status status = recall(renewal, key, job);
    if (!hr_is(status, HR_NOT_FOUND)) {
        return status;
    }
    if (!read_kept(renewal, key, job)) {
        status = renew_issue(renewal->issuer, &request, name, renewal->config->days, job->certificate,
                             &job->certificate_len_bytes);
        if (!hr_is_ok(status)) {
            return hr_status_of(HR_AGAIN);
        }
    }
    HR_TRY(keep(renewal, job, key));
    HR_FAILPOINT("certificate_audited");
    HR_TRY(recall(renewal, key, job)); /* what is handed out is what stands there */
    char reason[LEDGER_NAME_MAX_CHARS + 1];
    app_key_reason(key, reason);
    APP_LOG(APP_INFO, "certificate_renewed", app_number("device_id", job->device_id),
            app_text("what", reason));
    return hr_ok();
}

static struct job *next_job(struct app_renewal *renewal)
{
    struct job *next = NULL;
    for (size_t i = 0; i < N_JOBS; i++) {
        struct job *job = &renewal->jobs[i];
        if (job->state == JOB_WAITING && (next == NULL || job->turn < next->turn)) {
            next = job;
        }
    }
    return next;
}

static void *run(void *ctx)
{
    struct app_renewal *renewal = ctx;
    static struct job own; /* the one that is worked on; there is one thread */
    (void)pthread_mutex_lock(&renewal->lock);
    while (!renewal->stopping) {
        struct job *job = next_job(renewal);
        if (job == NULL) {
            (void)pthread_cond_wait(&renewal->asked, &renewal->lock);
            continue;
        }
        job->state = JOB_WORKED_ON;
        own = *job;
        (void)pthread_mutex_unlock(&renewal->lock);
        own.status = work(renewal, &own);
        (void)pthread_mutex_lock(&renewal->lock);
        own.state = hr_is(own.status, HR_AGAIN) ? JOB_FREE : JOB_ENDED; /* asked again, it is tried again */
        *job = own;
    }
    (void)pthread_mutex_unlock(&renewal->lock);
    return NULL;
}

/* ---- the I/O thread ---- */

/* The job of this request; else the place that was not asked for longest, or NULL: all are waiting. */
static struct job *find_job(struct app_renewal *renewal, uint64_t device_id,
                            const uint8_t sha256[WIRE_DIGEST_BYTES], bool *is_known)
{
    struct job *place = NULL;
    for (size_t i = 0; i < N_JOBS; i++) {
        struct job *job = &renewal->jobs[i];
        *is_known = job->state != JOB_FREE && job->device_id == device_id &&
                    memcmp(job->request_sha256, sha256, WIRE_DIGEST_BYTES) == 0;
        if (*is_known) {
            return job;
        }
        bool is_free = job->state == JOB_FREE || job->state == JOB_ENDED;
        if (is_free && (place == NULL || job->turn < place->turn)) {
            place = job;
        }
    }
    return place;
}

/* A device has one request at a time, so that one of them can't keep all others out. */
static bool has_one_waiting(const struct app_renewal *renewal, uint64_t device_id)
{
    for (size_t i = 0; i < N_JOBS; i++) {
        const struct job *job = &renewal->jobs[i];
        if (job->device_id == device_id && (job->state == JOB_WAITING || job->state == JOB_WORKED_ON)) {
            return true;
        }
    }
    return false;
}

static void keep_session(const struct source_peer *peer, struct agg_shown *out)
{
    const bool fits = peer->certificate.len_bytes <= sizeof out->certificate;
    *out = (struct agg_shown){.certificate_len_bytes = (uint16_t)(fits ? peer->certificate.len_bytes : 0)};
    memcpy(out->key, peer->key, sizeof out->key);
    memcpy(out->certificate, peer->certificate.data, out->certificate_len_bytes);
}

static struct hr_status renew_locked(struct app_renewal *renewal, const struct source_peer *peer,
                                     struct hr_bytes request, const uint8_t sha256[WIRE_DIGEST_BYTES])
{
    bool is_known = false;
    struct job *job = find_job(renewal, peer->device_id, sha256, &is_known);
    if (is_known && job->state == JOB_ENDED) {
        renewal->answered = *job;
        job->state = hr_is_ok(job->status) ? JOB_ENDED : JOB_FREE; /* a refusal is looked at anew */
        return renewal->answered.status;
    }
    if (is_known || job == NULL || has_one_waiting(renewal, peer->device_id)) {
        return hr_status_of(HR_AGAIN);
    }
    *job = (struct job){.state = JOB_WAITING,
                        .device_id = peer->device_id,
                        .turn = ++renewal->turn,
                        .request_len_bytes = request.len_bytes};
    memcpy(job->request_sha256, sha256, WIRE_DIGEST_BYTES);
    keep_session(peer, &job->session);
    memcpy(job->request, request.data, request.len_bytes);
    (void)pthread_cond_signal(&renewal->asked);
    return hr_status_of(HR_AGAIN);
}

static struct hr_status renew(void *ctx, const struct source_peer *peer, struct hr_bytes request,
                              struct hr_bytes *certificate)
{
    struct app_renewal *renewal = ctx;
    uint8_t sha256[WIRE_DIGEST_BYTES];
    if (request.len_bytes == 0 || request.len_bytes > RENEW_REQUEST_MAX_BYTES) {
        return hr_status_of(HR_MALFORMED);
    }
    wire_sha256(verify_hash(), &request, 1, sha256);
    (void)pthread_mutex_lock(&renewal->lock);
    struct hr_status status = renew_locked(renewal, peer, request, sha256);
    (void)pthread_mutex_unlock(&renewal->lock);
    *certificate = hr_bytes_of(renewal->answered.certificate, renewal->answered.certificate_len_bytes);
    return status;
}

/* ---- start and end ---- */

struct hr_status app_renewal_start(const struct config_renewal *config, const struct ledger *ledger,
                                   struct app_inbox *inbox, struct app_renewal **out)
{
    char why[512] = "no memory";
    struct app_renewal *renewal = calloc(1, sizeof *renewal);
    struct hr_status status = renewal != NULL
                                  ? renew_issuer_open(config->issuer_certificate, config->issuer_key,
                                                      &renewal->issuer, why, sizeof why)
                                  : hr_status_of(HR_IO);
    if (!hr_is_ok(status)) {
        APP_LOG(APP_ERROR, "renewal", app_text("why", why));
        free(renewal);
        return status;
    }
    renewal->source = (struct source_renewal){renew, renewal};
    renewal->config = config;
    renewal->ledger = ledger;
    renewal->inbox = inbox;
    (void)pthread_mutex_init(&renewal->lock, NULL);
    (void)pthread_cond_init(&renewal->asked, NULL);
    if (pthread_create(&renewal->thread, NULL, run, renewal) != 0) {
        renew_issuer_close(renewal->issuer);
        free(renewal);
        return hr_status_of(HR_IO);
    }
    *out = renewal;
    return hr_ok();
}

const struct source_renewal *app_renewal_source(struct app_renewal *renewal)
{
    return &renewal->source;
}

void app_renewal_stop(struct app_renewal *renewal)
{
    if (renewal == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&renewal->lock);
    renewal->stopping = true;
    (void)pthread_cond_signal(&renewal->asked);
    (void)pthread_mutex_unlock(&renewal->lock);
    (void)pthread_join(renewal->thread, NULL);
    (void)pthread_cond_destroy(&renewal->asked);
    (void)pthread_mutex_destroy(&renewal->lock);
    renew_issuer_close(renewal->issuer);
    free(renewal);
}
