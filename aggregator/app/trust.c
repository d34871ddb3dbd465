/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/trust.h"

#include "aggregator/app/log.h"
#include "aggregator/app/time.h"
#include "aggregator/verify/verify.h"
#include "proto/trust/trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_BUNDLES = 64, FILE_MAX_BYTES = MAX_BUNDLES * TRUST_MAX_BYTES, LOOK_EVERY_MS = 1000 };

struct bundles {
    uint32_t n; /* that may be handed out */
    struct hr_bytes whole[MAX_BUNDLES];
    uint8_t bytes[FILE_MAX_BYTES];
};

struct app_trust {
    struct source_trust source;
    const char *path;
    uint64_t looked_ms;
    struct stat seen; /* what the file looked like when it was last read */
    struct bundles *now;
    struct bundles *next; /* room to read into */
};

static struct hr_status verify(void *ctx, const uint8_t spki[TRUST_SPKI_BYTES],
                               const uint8_t digest[WIRE_DIGEST_BYTES],
                               const uint8_t signature[TRUST_ECDSA_BYTES])
{
    (void)ctx;
    struct verify_key *key = NULL;
    if (!hr_is_ok(verify_key_parse(hr_bytes_of(spki, TRUST_SPKI_BYTES), &key))) {
        return hr_status_of(HR_DENIED);
    }
    struct hr_status status = verify_digest(key, digest, signature);
    verify_key_free(key);
    return status;
}

/* Takes the bundles that follow one another and are signed; NULL: that is all of them, else what is wrong. */
static const char *index_bundles(struct bundles *bundles, size_t len_bytes)
{
    static const struct trust_verify verifier = {.verify = verify};
    struct hr_bytes left = hr_bytes_of(bundles->bytes, len_bytes);
    struct trust_bundle before = {.version = 0};
    while (left.len_bytes > 0) {
        struct hr_bytes *one = &bundles->whole[bundles->n];
        struct trust_bundle found;
        enum trust_refusal why;
        if (bundles->n == MAX_BUNDLES || !hr_is_ok(trust_next(left, one)) ||
            !hr_is_ok(trust_decode(*one, &found)) || found.version != bundles->n + 1) {
            return "what stands there is no trust bundle, or not the next version";
        }
        struct hr_status status = found.version == 1
                                      ? trust_check_first(&found, verify_hash(), &verifier)
                                      : trust_check_next(&before, &found, verify_hash(), &verifier, &why);
        if (!hr_is_ok(status)) {
            return "a version still wants signatures (headrace ca bundle --sign)";
        }
        before = found;
        bundles->n++;
        left = hr_bytes_of(left.data + one->len_bytes, left.len_bytes - one->len_bytes);
    }
    return NULL;
}

static const char *read_file(struct app_trust *trust, struct bundles *out)
{
    FILE *file = fopen(trust->path, "rbe");
    if (file == NULL) {
        return strerror(errno);
    }
    size_t len_bytes = fread(out->bytes, 1, sizeof out->bytes, file);
    bool is_whole =
        ferror(file) == 0 && len_bytes < sizeof out->bytes && fstat(fileno(file), &trust->seen) == 0;
    (void)fclose(file);
    out->n = 0;
    return is_whole ? index_bundles(out, len_bytes) : "it can't be read, or is too long";
}

/* Whether `next` goes on from what is handed out: the same bodies, for signatures may be added. NULL, or what
 * is wrong. */
static const char *follows(const struct bundles *now, const struct bundles *next)
{
    for (uint32_t i = 0; i < now->n && i < next->n; i++) {
        struct trust_bundle served;
        struct trust_bundle found;
        if (!hr_is_ok(trust_decode(now->whole[i], &served)) ||
            !hr_is_ok(trust_decode(next->whole[i], &found)) ||
            served.body.len_bytes != found.body.len_bytes ||
            memcmp(served.body.data, found.body.data, found.body.len_bytes) != 0) {
            return "it is another authority's, or another history than the one that is served: copy the "
                   "authority's own file";
        }
    }
    return next->n < now->n ? "it ends before the version that is served: copy the authority's newest file"
                            : NULL;
}

/* What is there already stays, and versions don't go back, whatever the file says now. */
static struct hr_status look(struct app_trust *trust)
{
    const char *why = read_file(trust, trust->next);
    const char *strange = follows(trust->now, trust->next);
    why = why != NULL ? why : strange;
    if (strange == NULL && trust->next->n > trust->now->n) {
        struct bundles *newer = trust->next;
        trust->next = trust->now;
        trust->now = newer;
        APP_LOG(APP_INFO, "trust_bundle", app_number("version", newer->n), app_text("file", trust->path));
    }
    if (why != NULL) {
        APP_LOG(APP_ERROR, "trust_bundle_refused", app_text("file", trust->path),
                app_number("served_version", trust->now->n), app_text("why", why));
    }
    return hr_status_of(why == NULL || trust->now->n > 0 ? HR_OK : HR_IO);
}

void app_trust_follow(struct app_trust *trust)
{
    struct stat now;
    const struct stat *seen = &trust->seen;
    uint64_t now_ms = app_monotonic_ms();
    if (now_ms - trust->looked_ms < LOOK_EVERY_MS) {
        return;
    }
    trust->looked_ms = now_ms;
    if (stat(trust->path, &now) == 0 &&
        (now.st_ino != seen->st_ino || now.st_size != seen->st_size ||
         now.st_mtim.tv_sec != seen->st_mtim.tv_sec || now.st_mtim.tv_nsec != seen->st_mtim.tv_nsec)) {
        hr_ignore(look(trust)); /* it was told */
    }
}

static uint32_t newest(void *ctx)
{
    return ((const struct app_trust *)ctx)->now->n;
}

static struct hr_bytes bundle(void *ctx, uint32_t version)
{
    const struct bundles *now = ((const struct app_trust *)ctx)->now;
    return version >= 1 && version <= now->n ? now->whole[version - 1] : hr_bytes_of("", 0);
}

struct hr_status app_trust_open(const char *path, struct app_trust **out)
{
    struct app_trust *trust = calloc(1, sizeof *trust);
    if (trust == NULL) {
        return hr_status_of(HR_IO);
    }
    trust->source = (struct source_trust){newest, bundle, trust};
    trust->path = path;
    trust->now = calloc(1, sizeof *trust->now);
    trust->next = calloc(1, sizeof *trust->next);
    if (trust->now == NULL || trust->next == NULL || !hr_is_ok(look(trust))) {
        app_trust_close(trust);
        return hr_status_of(HR_IO);
    }
    *out = trust;
    return hr_ok();
}

const struct source_trust *app_trust_source(struct app_trust *trust)
{
    return &trust->source;
}

void app_trust_close(struct app_trust *trust)
{
    if (trust != NULL) {
        free(trust->now);
        free(trust->next);
    }
    free(trust);
}
