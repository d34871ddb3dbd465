/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/trust_print.h"

#include "aggregator/verify/verify.h"
#include "tools/cli/trust_file.h"

#include <inttypes.h>
#include <openssl/asn1.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SUBJECT_CHARS = 128, DAY_CHARS = 16, ID_CHARS = 2 * WIRE_DIGEST_BYTES };

struct authority {
    char name[SUBJECT_CHARS];
    char until[DAY_CHARS];
};

static void describe(struct hr_bytes der, struct authority *out)
{
    const uint8_t *at = der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.len_bytes);
    struct tm end = {.tm_year = 0};
    *out = (struct authority){.name = "?", .until = "?"};
    if (certificate != NULL) {
        (void)X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, out->name,
                                        (int)sizeof out->name);
        if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1) {
            (void)strftime(out->until, sizeof out->until, "%Y-%m-%d", &end);
        }
    }
    for (char *c = out->name; *c != '\0'; c++) { /* it may come from anybody */
        *c = (char)(*c < ' ' || *c > '~' || *c == '"' || *c == '\\' ? '?' : *c);
    }
    X509_free(certificate);
}

static void id_of(const uint8_t spki[TRUST_SPKI_BYTES], char out[ID_CHARS + 1])
{
    uint8_t id[WIRE_DIGEST_BYTES];
    trust_signer_id(verify_hash(), spki, id);
    for (size_t i = 0; i < sizeof id; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", id[i]);
    }
}

static void print_json(const struct trust_bundle *bundle, bool is_complete)
{
    char id[ID_CHARS + 1];
    (void)printf("{\"version\":%" PRIu32 ",\"complete\":%s,\"threshold\":%u,\"signatures\":%u,\"signers\":[",
                 bundle->version, is_complete ? "true" : "false", (unsigned)bundle->threshold,
                 (unsigned)bundle->n_signatures);
    for (size_t i = 0; i < bundle->n_signers; i++) {
        id_of(bundle->signers[i], id);
        (void)printf("%s{\"key\":\"%s\",\"signed\":%s}", i > 0 ? "," : "", id,
                     cli_trust_is_signed_by(bundle, bundle->signers[i]) ? "true" : "false");
    }
    (void)fputs("],\"authorities\":[", stdout);
    for (size_t i = 0; i < bundle->n_ca; i++) {
        struct authority authority;
        describe(bundle->ca[i], &authority);
        (void)printf("%s{\"name\":\"%s\",\"until\":\"%s\"}", i > 0 ? "," : "", authority.name,
                     authority.until);
    }
    (void)fputs("],\"names\":[", stdout);
    for (size_t i = 0; i < bundle->n_names; i++) {
        (void)printf("%s\"%s\"", i > 0 ? "," : "", bundle->names[i]);
    }
    (void)puts("]}");
}

void cli_trust_print(const struct trust_bundle *bundle, bool is_complete, bool is_json)
{
    char id[ID_CHARS + 1];
    if (is_json) {
        print_json(bundle, is_complete);
        return;
    }
    (void)printf("version %" PRIu32 "    %s, %u of %u signers needed, %u signature%s\n", bundle->version,
                 is_complete ? "complete" : "NOT COMPLETE", (unsigned)bundle->threshold,
                 (unsigned)bundle->n_signers, (unsigned)bundle->n_signatures,
                 bundle->n_signatures == 1 ? "" : "s");
    for (size_t i = 0; i < bundle->n_ca; i++) {
        struct authority authority;
        describe(bundle->ca[i], &authority);
        (void)printf("  authority  %s, until %s\n", authority.name, authority.until);
    }
    for (size_t i = 0; i < bundle->n_signers; i++) {
        id_of(bundle->signers[i], id);
        (void)printf("  signer     %.16s%s\n", id,
                     cli_trust_is_signed_by(bundle, bundle->signers[i]) ? ", signed" : "");
    }
    for (size_t i = 0; i < bundle->n_names; i++) {
        (void)printf("  name       %s\n", bundle->names[i]);
    }
}
