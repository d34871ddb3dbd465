/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/trust.h"

#include "firmware/app/keep.h"
#include "firmware/crypto/key_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NAME_CHARS = APP_TRUST_NAME_CHARS, PATH_CHARS = APP_TRUST_PATH_CHARS };

#define AUTHORITIES "authorities.pem"

static void path_of(const struct app_trust *trust, const char *name, char out[PATH_CHARS])
{
    (void)snprintf(out, PATH_CHARS, "%s/%.*s", trust->folder, NAME_CHARS - 1, name);
}

/* ---- the platform of fw_trust ---- */

static struct hr_status load(void *ctx, uint32_t copy, uint8_t *out, size_t capacity_bytes, size_t *len_bytes)
{
    char name[NAME_CHARS];
    char path[PATH_CHARS];
    (void)snprintf(name, sizeof name, "bundle.%" PRIu32, copy);
    path_of(ctx, name, path);
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return hr_status_of(errno == ENOENT ? HR_NOT_FOUND : HR_IO);
    }
    *len_bytes = fread(out, 1, capacity_bytes, file);
    bool is_good = ferror(file) == 0;
    (void)fclose(file);
    return hr_status_of(is_good ? HR_OK : HR_IO);
}

static struct hr_status save(void *ctx, uint32_t copy, struct hr_bytes bytes)
{
    char name[NAME_CHARS];
    (void)snprintf(name, sizeof name, "bundle.%" PRIu32, copy);
    return app_keep_write(((const struct app_trust *)ctx)->folder, name, bytes, false);
}

static struct hr_status usable(void *ctx, const struct trust_bundle *bundle)
{
    (void)ctx;
    for (size_t i = 0; i < bundle->n_ca; i++) {
        HR_TRY(crypto_certificate_check_der(bundle->ca[i]));
    }
    return hr_ok();
}

static struct hr_status adopt(void *ctx, const struct trust_bundle *bundle)
{
    struct app_trust *trust = ctx;
    char pem[TRUST_MAX_CA * CRYPTO_CERTIFICATE_PEM_MAX_BYTES];
    size_t len_bytes = 0;
    for (size_t i = 0; i < bundle->n_ca; i++) {
        size_t one_bytes = 0;
        HR_TRY(crypto_certificate_pem(bundle->ca[i], pem + len_bytes, sizeof pem - len_bytes, &one_bytes));
        len_bytes += one_bytes;
    }
    HR_TRY(app_keep_write(trust->folder, AUTHORITIES, hr_bytes_of(pem, len_bytes), false));
    path_of(trust, AUTHORITIES, trust->ca);
    (void)snprintf(trust->server_name, sizeof trust->server_name, "%s",
                   trust_name_for(bundle, trust->config->server_name));
    return hr_ok();
}

static struct hr_status verify(void *ctx, const uint8_t spki[TRUST_SPKI_BYTES],
                               const uint8_t digest[WIRE_DIGEST_BYTES],
                               const uint8_t signature[TRUST_ECDSA_BYTES])
{
    (void)ctx;
    return crypto_verify_digest(spki, digest, signature);
}

struct hr_status app_trust_open(struct app_trust *trust, const struct app_config *config,
                                const struct port_log *log)
{
    trust->config = config;
    (void)snprintf(trust->folder, sizeof trust->folder, "%s", config->trust);
    (void)snprintf(trust->ca, sizeof trust->ca, "%s", config->identity.ca);
    (void)snprintf(trust->server_name, sizeof trust->server_name, "%s", config->server_name);
    if (config->trust[0] == '\0') {
        return hr_ok();
    }
    const struct fw_trust_platform platform = {load, save, usable, adopt, trust};
    const struct trust_verify verifier = {.verify = verify};
    struct hr_status status = fw_trust_open(&trust->trust, &platform, crypto_hash(), &verifier);
    trust->is_followed = hr_is_ok(status);
    if (hr_is(status, HR_NOT_FOUND)) {
        PORT_LOG(
            log, PORT_LOG_WARN, "trust_missing", {"folder", trust->folder, 0},
            {"text", "no trust bundle in it checks: identity.ca is believed, and nothing else will be", 0});
        return hr_ok();
    }
    if (!hr_is_ok(status)) {
        PORT_LOG(log, PORT_LOG_ERROR, "trust_refused", {"folder", trust->folder, 0},
                 {"reason", strerror(errno), 0});
        return status;
    }
    PORT_LOG(log, PORT_LOG_INFO, "trust_opened", {"version", NULL, fw_trust_version(&trust->trust)},
             {"server_name", trust->server_name, 0});
    return hr_ok();
}

void app_trust_count(struct app_trust *trust, struct fw_collector *collector)
{
    if (trust->is_followed) {
        fw_collector_add_source(collector,
                                (struct fw_stats_source){.stats = fw_trust_stats, .ctx = &trust->trust});
    }
}
