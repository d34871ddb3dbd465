/* SPDX-License-Identifier: Apache-2.0
 *
 * What the body of a request of the provisioning ceremony says. */
#ifndef APP_CLAIM_BODY_H
#define APP_CLAIM_BODY_H

#include "aggregator/app/decision.h"

/* Which members a request has; any of them may be missing unless named in `needed`. */
enum app_claim_member {
    APP_CLAIM_SERIAL = 1, /* letters, digits and -._:/ */
    APP_CLAIM_NAME = 2,   /* of the device */
    APP_CLAIM_SITE = 4,
    APP_CLAIM_TENANT = 8,
    APP_CLAIM_DEVICE = 16,      /* "device_id", a number */
    APP_CLAIM_KEY = 32,         /* hexadecimal, 91 bytes of SubjectPublicKeyInfo */
    APP_CLAIM_CERTIFICATE = 64, /* hexadecimal, DER */
    APP_CLAIM_FIRMWARE = 128,   /* hexadecimal, 32 bytes */
    APP_CLAIM_EPOCH = 256,
    APP_CLAIM_SIGNATURE = 512, /* hexadecimal, 64 bytes */
    APP_CLAIM_PROOF = 1024,    /* likewise */
    APP_CLAIM_DRY_RUN = 2048,
    APP_CLAIM_OPERATOR = 4096,
};

struct app_claim_text {
    struct agg_enrolling enrolling; /* actor, kind and nonce are left alone */
    char operator_name[APP_OPERATOR_MAX_CHARS + 1];
    unsigned has;
};

/* HR_MALFORMED: `why` says to a person what is wrong: an unknown or repeated member, one of another form, or
 * a needed one that is missing. Doubts every byte. */
HR_MUST_USE struct hr_status app_claim_parse(struct hr_bytes body, unsigned needed,
                                             struct app_claim_text *out, char why[APP_DECISION_WHY_CHARS]);

#endif
