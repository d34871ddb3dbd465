/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry's half of the provisioning ceremony (PROTOCOL 2.3, P1 to P7 and 2.6; proto/SPEC.md section
 * 12): which hardware is which device, under which keys. Every request can be made again and gives the same
 * answer. Each is a group by itself, committed with its audit entry before it is answered. [core thread] */
#ifndef AGG_ENROL_H
#define AGG_ENROL_H

#include "aggregator/core/admit.h"

enum agg_enrolling_kind {
    AGG_CLAIM,      /* serial, name, site, tenant, nonce; device_id, or 0 for the next one */
    AGG_REPLACE,    /* serial, device_id, nonce; spki: the new hardware's, to know it again */
    AGG_CERTIFY,    /* serial, spki, certificate, firmware, proof */
    AGG_RECORD_KEY, /* serial, epoch, record_spki, signature, proof */
};

struct agg_enrolling {
    enum agg_enrolling_kind kind;
    struct ledger_enrolment wanted;
    char name[LEDGER_NAME_MAX_CHARS + 1];
    char tenant[LEDGER_NAME_MAX_CHARS + 1];
    char actor[LEDGER_NAME_MAX_CHARS + 1];
    uint8_t firmware[WIRE_DIGEST_BYTES];
    uint8_t record_spki[LEDGER_SPKI_MAX_BYTES];
    uint8_t signature[WIRE_SIGNATURE_BYTES]; /* by the transport key */
    uint8_t proof[WIRE_SIGNATURE_BYTES];     /* by the key that is shown */
    bool dry_run;
};

struct agg_enrolled {
    struct ledger_enrolment enrolment;
    char name[LEDGER_NAME_MAX_CHARS + 1];
    enum ledger_device_state state;
    uint32_t revision;
    bool is_new;     /* false: it was so already, nothing is staged */
    const char *why; /* with HR_DENIED: a sentence; static storage */
};

/* HR_OK: *out is filled. HR_NOT_FOUND: nobody claimed that serial, or there is no such device. HR_DENIED: not
 * so, out->why tells it. HR_FULL: as many devices, or revisions, as there can be. HR_AGAIN: the group is not
 * empty, or the ledger can't be read. After any but HR_OK all is as before. */
HR_MUST_USE struct hr_status agg_enrol(struct agg_core *core, const struct agg_enrolling *request,
                                       struct agg_enrolled *out);

#endif
