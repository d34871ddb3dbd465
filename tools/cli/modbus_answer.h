/* SPDX-License-Identifier: Apache-2.0
 *
 * The other end of a Modbus line: requests in, answers of simulated devices out, damaged in the way that was
 * asked for. */
#ifndef CLI_MODBUS_ANSWER_H
#define CLI_MODBUS_ANSWER_H

#include "firmware/taps/modbus/tap_modbus.h"
#include "tools/cli/sim_plant.h"

enum sim_fault {
    SIM_FAULT_NONE,
    SIM_FAULT_SILENT,
    SIM_FAULT_LATE, /* it answers when the next request comes */
    SIM_FAULT_WRONG_UNIT,
    SIM_FAULT_TRUNCATED,
    SIM_FAULT_BAD_CRC, /* on RTU; on TCP a header that can't be */
    SIM_FAULT_ILLEGAL_ADDRESS,
    SIM_FAULT_BUSY,
    /* Of what it says, as enum sim_plant_view. */
    SIM_FAULT_NOT_IMPLEMENTED,
    SIM_FAULT_NO_SCALE,
    SIM_FAULT_MODEL_65,
    SIM_N_FAULTS
};

/* "silent" and the like; NULL-terminated, by enum sim_fault. */
extern const char *const CLI_SIM_FAULT_NAMES[SIM_N_FAULTS + 1];

/* One connection. */
struct cli_modbus_peer {
    enum tap_modbus_framing framing;
    size_t len_bytes;
    uint8_t bytes[TAP_MODBUS_FRAME_MAX_BYTES];
    size_t late_bytes;
    uint8_t late[TAP_MODBUS_FRAME_MAX_BYTES];
};

enum { CLI_MODBUS_ANSWER_MAX_BYTES = 2 * TAP_MODBUS_FRAME_MAX_BYTES };

/* Takes bytes, of which *n_taken are used; call again with the rest. Returns the length of what is to be
 * sent, 0 for nothing yet. faults: by unit. */
size_t cli_modbus_answer(struct cli_modbus_peer *peer, struct sim_plant *plant,
                         const enum sim_fault faults[256], struct hr_bytes bytes, size_t *n_taken,
                         uint8_t out[CLI_MODBUS_ANSWER_MAX_BYTES]);

#endif
