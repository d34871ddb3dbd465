/* SPDX-License-Identifier: Apache-2.0
 *
 * What collectors say about themselves (Boot, Loss, Stats, Event, TimeAnchor, KeySwitch), and what of their
 * records could not be understood, as events of headrace.device.events: a loss or a damaged record is as
 * visible to consumers as data is. A Stats record becomes one event for each counter. */
#ifndef NORM_DEVICE_H
#define NORM_DEVICE_H

#include "aggregator/normalize/norm.h"

/* schemas/avro/headrace_device_events.avsc. The key is the device id. */
extern const struct norm_schema norm_device_schema;

/* Takes the control records. Static storage; may be shared by threads. */
const struct normalizer *norm_device(void);

/* Why a record became an event of its own. */
enum norm_device_misfit {
    NORM_DEVICE_MALFORMED_RECORD, /* its bytes don't decode; dt_ms is not known and taken as 0 */
    NORM_DEVICE_UNKNOWN_RECORD,   /* of a kind that this build doesn't know */
    NORM_DEVICE_UNROUTED_RECORD,  /* of a kind that no configured normalizer takes */
};

/* Emits the event of a record that no normalizer took, with its raw bytes. */
void norm_device_misfit(const struct norm_input *input, enum norm_device_misfit misfit, struct hr_bytes raw,
                        uint32_t dt_ms, uint32_t record_index, const struct norm_emit *emit);

#endif
