/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates for devices that make themselves another transport key: the request (PKCS#10, RFC 2986) is
 * doubted here, and answered by the issuer whose key the aggregator was given for it. The room owns OpenSSL's
 * X.509; it knows nothing of devices but their names. */
#ifndef RENEW_RENEW_H
#define RENEW_RENEW_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

enum {
    RENEW_REQUEST_MAX_BYTES = 1024,
    RENEW_CERTIFICATE_MAX_BYTES = 640, /* as in an identity of a board */
    RENEW_SPKI_BYTES = 91,             /* of P-256, uncompressed point */
    RENEW_NAME_MAX_CHARS = 63,
};

struct renew_request {
    char common_name[RENEW_NAME_MAX_CHARS + 1]; /* of the subject; empty: it names nobody */
    uint8_t spki[RENEW_SPKI_BYTES];
};

/* HR_MALFORMED: no PKCS#10 in DER, another key than P-256, or not signed by it. [any] */
HR_MUST_USE struct hr_status renew_request_read(struct hr_bytes der, struct renew_request *out);

/* When a certificate in DER ends. HR_MALFORMED: it is none. [any] */
HR_MUST_USE struct hr_status renew_certificate_ends(struct hr_bytes der, int64_t *utc_ms);

struct renew_issuer;

/* Reads an issuer's certificate and its private key: PEM and not encrypted, or a PKCS#11 URI of one in a
 * token, with a pin-source (aggregator/token). HR_IO: `why` tells. */
HR_MUST_USE struct hr_status renew_issuer_open(const char *certificate_path, const char *key_path,
                                               struct renew_issuer **out, char *why, size_t why_capacity);
void renew_issuer_close(struct renew_issuer *issuer);

/* A certificate of the request's key for the name, a client's, from a day ago on. HR_IO: OpenSSL could not.
 * Two of the same request are not the same. [one thread] */
HR_MUST_USE struct hr_status renew_issue(struct renew_issuer *issuer, const struct renew_request *request,
                                         const char *common_name, uint32_t days,
                                         uint8_t out[RENEW_CERTIFICATE_MAX_BYTES], size_t *len_bytes);

#endif
