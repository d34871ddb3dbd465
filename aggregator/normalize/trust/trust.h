/* SPDX-License-Identifier: Apache-2.0
 *
 * What was decided about devices, as events of headrace.trust: one for each audit entry of the ledger. An
 * entry that marks batches as suspect tells consumers which of what they have is not to be believed. */
#ifndef NORM_TRUST_H
#define NORM_TRUST_H

#include "aggregator/normalize/norm.h"

enum { NORM_TRUST_N_FIELDS = 19 };

/* schemas/avro/headrace_trust.avsc. The key is the device id. It has none of the common fields: an entry is
 * of no batch. */
extern const struct norm_schema norm_trust_schema;

/* An event that is being put together; it points into itself. */
struct norm_trust_event {
    struct norm_event event;
    struct norm_value values[NORM_TRUST_N_FIELDS];
    char device_id[NORM_DEVICE_ID_CHARS];
    char old_key[2 * WIRE_DIGEST_BYTES];
    char new_key[2 * WIRE_DIGEST_BYTES];
};

/* Fills *out, which borrows the entry's text. `number` is the entry's place in the audit, from 1 on: it stays
 * when a log is made again, as its id may not. */
void norm_trust_fill(const struct ledger_audit *entry, uint64_t number, struct norm_trust_event *out);

#endif
