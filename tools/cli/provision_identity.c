/* SPDX-License-Identifier: Apache-2.0
 *
 * P2 to P6: the device's transport key, its certificate, and whom it trusts. */
#include "tools/cli/csr.h"
#include "tools/cli/enrol.h"
#include "tools/cli/provision.h"
#include "tools/cli/trust_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_CHARS = 4096, HEX_MAX_BYTES = 1024, PART_BYTES = 32, PATH_CHARS = 256, TRUST_PIECE_BYTES = 512 };

/* Lower-case digits into bytes; the answer of a device is doubted. 0: they are none. */
static size_t bytes_of(const char *hex, uint8_t *out, size_t capacity_bytes)
{
    size_t n = 0;
    while (hex[2 * n] != '\0' && hex[2 * n + 1] != '\0' && n < capacity_bytes) {
        char pair[3] = {hex[2 * n], hex[2 * n + 1], '\0'};
        if (strspn(pair, "0123456789abcdef") != 2) {
            return 0;
        }
        out[n++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return hex[2 * n] == '\0' ? n : 0;
}

static void hex_of(const uint8_t *bytes, size_t len_bytes, char *out)
{
    for (size_t i = 0; i < len_bytes; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
}

/* ---- P2 to P5 ---- */

static struct hr_status read_csr(struct provision *provision, struct cli_csr *csr)
{
    char hex[2 * HEX_MAX_BYTES + 1];
    uint8_t der[HEX_MAX_BYTES];
    HR_TRY(cli_provision_say(provision, "prov begin"));
    cli_provision_tell(provision, "P2", "its transport key is made, by itself");
    HR_TRY(cli_provision_say(provision, "prov csr"));
    cli_device_field(&provision->line, "csr", hex, sizeof hex);
    HR_TRY(cli_csr_read(hr_bytes_of(der, bytes_of(hex, der, sizeof der)), provision->device.serial, csr));
    cli_provision_tell(provision, "P3", "its certification request is signed by that key");
    return hr_ok();
}

static struct hr_status check_key(const struct provision *provision, const struct cli_csr *csr)
{
    char key[2 * CLI_SPKI_BYTES + 1];
    hex_of(csr->spki, sizeof csr->spki, key);
    if (provision->claim.key[0] == '\0' || strcmp(provision->claim.key, key) == 0) {
        return hr_ok();
    }
    (void)fprintf(stderr,
                  "headrace %s: %s was certified with another key: if its memory was erased, say `headrace "
                  "device replace %" PRIu64 "` with it on the line\n",
                  provision->verb, provision->device.serial, provision->claim.device_id);
    return hr_status_of(HR_DENIED);
}

/* Signs, and stores what was signed; what counts is what the registry then has. */
static struct hr_status certify(struct provision *provision, const struct cli_csr *csr)
{
    struct cli_der certificate;
    char body[BODY_CHARS];
    char key[2 * CLI_SPKI_BYTES + 1];
    char hex[2 * CLI_DER_MAX_BYTES + 1];
    char firmware[2 * WIRE_DIGEST_BYTES + 1];
    char proof[2 * WIRE_SIGNATURE_BYTES + 1];
    HR_TRY(cli_csr_certify(provision->authority, csr, provision->claim.device_id, &certificate));
    HR_TRY(cli_provision_say(provision, "prov proof %s", provision->claim.nonce));
    cli_device_field(&provision->line, "firmware", firmware, sizeof firmware);
    cli_device_field(&provision->line, "proof", proof, sizeof proof);
    hex_of(csr->spki, sizeof csr->spki, key);
    hex_of(certificate.bytes, certificate.len_bytes, hex);
    int n = snprintf(body, sizeof body,
                     "{\"serial\":\"%s\",\"key\":\"%s\",\"certificate\":\"%s\",\"firmware\":\"%s\","
                     "\"proof\":\"%s\"%s",
                     provision->device.serial, key, hex, firmware, proof, cli_provision_signed());
    if (n < 0 || (size_t)n >= sizeof body || !cli_provision_ask(provision, "/certificates", body)) {
        return hr_status_of(HR_DENIED);
    }
    return hr_ok();
}

/* ---- P6 ---- */

static struct hr_status keep(struct provision *provision, const char *field, const void *data,
                             size_t len_bytes)
{
    const uint8_t *bytes = data;
    char hex[2 * PART_BYTES + 1];
    for (size_t at = 0; at < len_bytes; at += PART_BYTES) {
        const size_t n = len_bytes - at < PART_BYTES ? len_bytes - at : PART_BYTES;
        hex_of(bytes + at, n, hex);
        HR_TRY(cli_provision_say(provision, "prov part %zu %s", at, hex));
    }
    return cli_provision_say(provision, "prov keep %s", field);
}

static struct hr_status keep_number(struct provision *provision, const char *field, uint64_t number)
{
    uint8_t bytes[sizeof number];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(number >> (8 * (sizeof bytes - 1 - i)));
    }
    return keep(provision, field, bytes, sizeof bytes);
}

static struct hr_status keep_text(struct provision *provision, const char *field, const char *text)
{
    return text[0] == '\0' ? hr_ok() : keep(provision, field, text, strlen(text));
}

/* The bundle that devices begin with; NULL: the authority has none. */
static struct hr_status newest_bundle(const struct provision *provision, const struct trust_bundle **out)
{
    static struct cli_trust_file file;
    struct cli_path path;
    HR_TRY(cli_path_of(&path, provision->authority, "trust.bundle"));
    HR_TRY(cli_trust_read(path.text, &file));
    *out = cli_trust_newest(&file);
    return hr_ok();
}

struct hr_status cli_provision_look_at_trust(const struct provision *provision)
{
    const struct trust_bundle *newest = NULL;
    HR_TRY(newest_bundle(provision, &newest));
    if (newest != NULL && provision->device.follows_trust && provision->device.trust_version == 0) {
        cli_provision_tell(provision, "--",
                           "it was provisioned without a trust bundle, and believes the authority it has for "
                           "ever: `headrace device replace`, with its memory erased, gives it one");
    }
    return hr_ok();
}

/* What stands under a device's bundle, and all there is where it follows none: the authority of today's
 * servers, unless the bundle has moved on from it. */
static struct hr_status keep_authority(struct provision *provision, const struct trust_bundle *newest)
{
    struct cli_path path;
    struct cli_der der;
    X509 *trusted = NULL;
    HR_TRY(cli_path_of(&path, provision->authority, CLI_ISSUER_SERVERS ".crt"));
    HR_TRY(cli_certificate_read(path.text, &trusted));
    struct hr_status status = cli_certificate_der(trusted, &der);
    X509_free(trusted);
    HR_TRY(status);
    struct hr_bytes authority = hr_bytes_of(der.bytes, der.len_bytes);
    bool is_in = newest == NULL;
    for (size_t i = 0; newest != NULL && i < newest->n_ca; i++) {
        is_in = is_in || (newest->ca[i].len_bytes == authority.len_bytes &&
                          memcmp(newest->ca[i].data, authority.data, authority.len_bytes) == 0);
    }
    authority = is_in ? authority : newest->ca[0];
    return keep(provision, "ca 0", authority.data, authority.len_bytes);
}

static struct hr_status keep_bundle(struct provision *provision, const struct trust_bundle *newest)
{
    const struct hr_bytes whole = trust_whole(newest);
    for (size_t i = 0; i * TRUST_PIECE_BYTES < whole.len_bytes; i++) {
        const size_t left_bytes = whole.len_bytes - i * TRUST_PIECE_BYTES;
        char field[PROVISION_TEXT_CHARS];
        (void)snprintf(field, sizeof field, "trust %zu", i);
        HR_TRY(keep(provision, field, whole.data + i * TRUST_PIECE_BYTES,
                    left_bytes < TRUST_PIECE_BYTES ? left_bytes : TRUST_PIECE_BYTES));
    }
    return hr_ok();
}

static struct hr_status keep_trusted(struct provision *provision)
{
    const struct trust_bundle *newest = NULL;
    HR_TRY(newest_bundle(provision, &newest));
    HR_TRY(keep_authority(provision, newest));
    if (newest == NULL) {
        return hr_ok();
    }
    if (!provision->device.follows_trust) {
        cli_provision_tell(provision, "P6", "it has no room for trust bundles: it believes one authority");
        return hr_ok();
    }
    HR_TRY(keep_bundle(provision, newest));
    cli_provision_tell(provision, "P6", "it follows trust bundles from version %" PRIu32 " on",
                       newest->version);
    return hr_ok();
}

static struct hr_status install(struct provision *provision)
{
    uint8_t certificate[HEX_MAX_BYTES];
    const struct provision_claim *claim = &provision->claim;
    HR_TRY(keep(provision, "certificate", certificate,
                bytes_of(claim->certificate, certificate, sizeof certificate)));
    HR_TRY(keep_number(provision, "device", claim->device_id));
    HR_TRY(keep_text(provision, "name", claim->name));
    HR_TRY(keep_text(provision, "site", claim->site));
    HR_TRY(claim->first_stream != 0 ? keep_number(provision, "stream", claim->first_stream) : hr_ok());
    HR_TRY(keep_trusted(provision));
    for (size_t i = 0; i < provision->n_aggregators; i++) {
        char field[PROVISION_TEXT_CHARS];
        (void)snprintf(field, sizeof field, "aggregator %zu", i);
        HR_TRY(keep_text(provision, field, provision->aggregators[i]));
    }
    HR_TRY(keep_text(provision, "server", provision->server_name));
    HR_TRY(cli_provision_say(provision, "prov install"));
    cli_provision_tell(provision, "P6",
                       "it keeps certificate, authority and addresses, and has checked them");
    return hr_ok();
}

struct hr_status cli_provision_identity(struct provision *provision)
{
    struct cli_csr csr;
    HR_TRY(read_csr(provision, &csr));
    struct hr_status status = check_key(provision, &csr);
    const bool is_certified = provision->claim.key[0] != '\0';
    if (hr_is_ok(status) && !is_certified) {
        status = certify(provision, &csr);
    }
    EVP_PKEY_free(csr.key);
    HR_TRY(status);
    cli_provision_tell(provision, "P4", "the registry knows %s by that key", provision->device.serial);
    cli_provision_tell(provision, "P5", "it has its certificate, as device %" PRIu64,
                       provision->claim.device_id);
    return install(provision);
}
