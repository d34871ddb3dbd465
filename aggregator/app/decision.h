/* SPDX-License-Identifier: Apache-2.0
 *
 * A decision about a device on its way: asked on the http thread, made on the core thread, and answered when
 * the group that holds it is committed. */
#ifndef APP_DECISION_H
#define APP_DECISION_H

#include "aggregator/app/inbox.h"
#include "aggregator/core/admit.h"
#include "aggregator/core/enrol.h"

enum { APP_DECISION_WHY_CHARS = 160, APP_OPERATOR_MAX_CHARS = 48 };

/* What the body of a request says. */
struct app_decision_text {
    enum agg_decision_kind kind;
    char reason[LEDGER_NAME_MAX_CHARS + 1];
    char operator_name[APP_OPERATOR_MAX_CHARS + 1]; /* as the caller calls himself; may be empty */
    bool dry_run;
    bool has_key; /* with readmit: the one transport key that is meant */
    uint8_t key[WIRE_DIGEST_BYTES];
    bool has_place;
    uint32_t stream, seq;
};

/* {"decision": "quarantine"|"release"|"revoke"|"retire"|"rotate"|"rotate_transport"|"readmit", "reason":
 * TEXT, "dry_run": false, "operator": NAME, "key": HEX, "stream": N, "seq": N}. All but the first two may be
 * absent; the last two stand together, with a decision to revoke: from there on. A reason is 1 to 63 bytes of
 * UTF-8 without control characters, a name up to 48 letters, digits, '.', '-', '_' and '@'. HR_MALFORMED:
 * `why` says to a person what is wrong. Doubts every byte. */
HR_MUST_USE struct hr_status app_decision_parse(struct hr_bytes body, struct app_decision_text *out,
                                                char why[APP_DECISION_WHY_CHARS]);

/* "transport key " and the key's beginning, as a reason. */
void app_key_reason(const uint8_t key[WIRE_DIGEST_BYTES], char out[LEDGER_NAME_MAX_CHARS + 1]);

struct app_decision;

/* Hands the decision to the core thread and waits for its commit. HR_OK, HR_NOT_FOUND, HR_DENIED: as
 * agg_decide, and durable; *out is filled but for HR_NOT_FOUND. HR_FULL, HR_AGAIN: the ledger has no room, or
 * is away or another process': nothing was changed. HR_CLOSED: the aggregator ends, nothing was changed.
 * HR_IO: nobody answered in wait_ms; it may still be made. [http thread] */
HR_MUST_USE struct hr_status app_decision_ask(struct app_inbox *inbox, const struct agg_decision *decision,
                                              uint32_t wait_ms, struct agg_decided *out);

/* Hands it over and waits for nothing. HR_CLOSED: the aggregator ends; HR_AGAIN: no memory. [any] */
HR_MUST_USE struct hr_status app_decision_tell(struct app_inbox *inbox, const struct agg_decision *decision);

/* The same of a request of the provisioning ceremony; codes and out as agg_enrol and as above. */
HR_MUST_USE struct hr_status app_enrolling_ask(struct app_inbox *inbox, const struct agg_enrolling *wanted,
                                               uint32_t wait_ms, struct agg_enrolled *out);

/* ---- core thread ---- */
/* Takes the decision to the core, which has no open group. False: it changes nothing, and was answered.
 * True: it is the open group now, and waits for the settle. */
bool app_decision_make(struct app_decision *decision, struct agg_core *core);
/* The group that it waited for has ended so; the decision is gone. */
void app_decision_settle(struct app_decision *decision, struct hr_status group);

#endif
