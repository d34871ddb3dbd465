/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the ceremony's requests share. */
#ifndef AGG_ENROL_WORK_H
#define AGG_ENROL_WORK_H

#include "aggregator/core/enrol.h"
#include "aggregator/core/internal.h"

/* What a request works on; out->enrolment is what the ledger has of the serial. */
struct agg_enrol_work {
    struct agg_core *core;
    const struct agg_enrolling *request;
    struct agg_enrolled *out;
    struct agg_device *device; /* NULL: none yet */
};

/* HR_DENIED, with a sentence of static storage. */
HR_MUST_USE struct hr_status agg_enrol_deny(const struct agg_enrol_work *work, const char *why);
/* Tells what the device is. */
void agg_enrol_fill(const struct agg_enrol_work *work);
/* Stages what the device has become, with its audit entry, and tells it; the device was touched before. */
void agg_enrol_stage(const struct agg_enrol_work *work, const struct ledger_device *before,
                     const char *action);
void agg_enrol_reason(struct ledger_device *entry, const char *reason);
bool agg_enrol_is_same(const struct ledger_enrolment *known, const struct ledger_enrolment *wanted);

HR_MUST_USE struct hr_status agg_enrol_certify(struct agg_enrol_work *work);
HR_MUST_USE struct hr_status agg_enrol_record_key(struct agg_enrol_work *work);

#endif
