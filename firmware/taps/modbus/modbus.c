/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/modbus/modbus_internal.h"
#include "proto/base/assert.h"
#include "proto/base/cursor.h"

#include <string.h>

static const char *const STATE_NAME[TAP_MODBUS_N_STATES] = {
    [TAP_MODBUS_IDLE] = "idle",
    [TAP_MODBUS_WAITING] = "waiting",
    [TAP_MODBUS_ANSWERED] = "answered",
    [TAP_MODBUS_EXCEPTION] = "exception",
    [TAP_MODBUS_SILENT] = "silent",
    [TAP_MODBUS_TRUNCATED] = "truncated",
    [TAP_MODBUS_BAD_CRC] = "bad_crc",
    [TAP_MODBUS_WRONG_UNIT] = "wrong_unit",
    [TAP_MODBUS_WRONG_ANSWER] = "wrong_answer",
    [TAP_MODBUS_NOISE] = "noise",
    [TAP_MODBUS_BROKEN] = "broken",
};

static const char *const COUNTER_NAME[TAP_MODBUS_N_COUNTERS] = {
    [TAP_MODBUS_REQUESTS] = "requests",
    [TAP_MODBUS_ANSWERS] = "answers",
    [TAP_MODBUS_EXCEPTIONS] = "exceptions",
    [TAP_MODBUS_SILENCES] = "silent",
    [TAP_MODBUS_TRUNCATIONS] = "truncated",
    [TAP_MODBUS_BAD_CRCS] = "bad_crc",
    [TAP_MODBUS_WRONG_UNITS] = "wrong_unit",
    [TAP_MODBUS_WRONG_ANSWERS] = "wrong_answer",
    [TAP_MODBUS_NOISES] = "noise",
    [TAP_MODBUS_BROKEN_STREAMS] = "broken",
    [TAP_MODBUS_FOREIGN_FRAMES] = "foreign_frames",
    [TAP_MODBUS_NOISE_BYTES] = "noise_bytes",
};

/* What counts the end of a request in each state. */
static const enum tap_modbus_counter END_COUNTER[TAP_MODBUS_N_STATES] = {
    [TAP_MODBUS_ANSWERED] = TAP_MODBUS_ANSWERS,
    [TAP_MODBUS_EXCEPTION] = TAP_MODBUS_EXCEPTIONS,
    [TAP_MODBUS_SILENT] = TAP_MODBUS_SILENCES,
    [TAP_MODBUS_TRUNCATED] = TAP_MODBUS_TRUNCATIONS,
    [TAP_MODBUS_BAD_CRC] = TAP_MODBUS_BAD_CRCS,
    [TAP_MODBUS_WRONG_UNIT] = TAP_MODBUS_WRONG_UNITS,
    [TAP_MODBUS_WRONG_ANSWER] = TAP_MODBUS_WRONG_ANSWERS,
    [TAP_MODBUS_NOISE] = TAP_MODBUS_NOISES,
    [TAP_MODBUS_BROKEN] = TAP_MODBUS_BROKEN_STREAMS,
};

void tap_modbus_init(struct tap_modbus *line, enum tap_modbus_framing framing)
{
    memset(line, 0, sizeof *line);
    line->framing = framing;
}

void tap_modbus_reset(struct tap_modbus *line)
{
    (void)tap_modbus_over(line);
    line->state = TAP_MODBUS_IDLE;
    tap_modbus_drop(line, line->len_bytes);
}

size_t tap_modbus_ask(struct tap_modbus *line, const struct tap_modbus_request *request,
                      uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES])
{
    HR_ASSERT(line->state != TAP_MODBUS_WAITING && line->state != TAP_MODBUS_BROKEN);
    HR_ASSERT(request->table == TAP_MODBUS_HOLDING || request->table == TAP_MODBUS_INPUT);
    HR_ASSERT(request->n_registers >= 1 && request->n_registers <= TAP_MODBUS_READ_MAX_REGISTERS);
    HR_ASSERT((uint32_t)request->address + request->n_registers <= 65536U);
    struct hr_writer writer = hr_writer_over(out, TAP_MODBUS_REQUEST_MAX_BYTES);
    if (line->framing == TAP_MODBUS_TCP) {
        line->transaction++;
        hr_write_u16(&writer, line->transaction);
        hr_write_u16(&writer, 0); /* protocol: Modbus */
        hr_write_u16(&writer, 6);
    } else {
        line->counter[TAP_MODBUS_NOISE_BYTES] += line->len_bytes;
        tap_modbus_drop(line, line->len_bytes);
    }
    hr_write_u8(&writer, request->unit);
    hr_write_u8(&writer, (uint8_t)request->table);
    hr_write_u16(&writer, request->address);
    hr_write_u16(&writer, request->n_registers);
    if (line->framing == TAP_MODBUS_RTU) {
        uint16_t crc = tap_modbus_crc(hr_bytes_of(out, writer.at));
        hr_write_u8(&writer, (uint8_t)(crc & 0xFF));
        hr_write_u8(&writer, (uint8_t)(crc >> 8));
    }
    HR_ASSERT(hr_writer_ok(&writer));
    line->asked = *request;
    line->saw_unit = line->saw_answer = line->saw_crc = line->saw_bytes = false;
    line->state = TAP_MODBUS_WAITING;
    line->counter[TAP_MODBUS_REQUESTS]++;
    return writer.at;
}

void tap_modbus_end(struct tap_modbus *line, enum tap_modbus_state state)
{
    if (line->state == TAP_MODBUS_WAITING) {
        line->state = state;
        line->counter[END_COUNTER[state]]++;
    }
}

bool tap_modbus_take_pdu(struct tap_modbus *line, const uint8_t *pdu, size_t len_bytes)
{
    size_t values_bytes = (size_t)line->asked.n_registers * 2;
    if (line->state != TAP_MODBUS_WAITING || len_bytes < 2) {
        return false;
    }
    if (pdu[0] == ((uint8_t)line->asked.table | MODBUS_EXCEPTION_BIT) && len_bytes == 2) {
        line->exception = pdu[1];
        tap_modbus_end(line, TAP_MODBUS_EXCEPTION);
        return true;
    }
    if (pdu[0] != (uint8_t)line->asked.table || pdu[1] != values_bytes || len_bytes != 2 + values_bytes) {
        return false;
    }
    struct hr_reader reader = hr_reader_over(hr_bytes_of(pdu + 2, values_bytes));
    for (size_t i = 0; i < line->asked.n_registers; i++) {
        line->registers[i] = hr_read_u16(&reader);
    }
    tap_modbus_end(line, TAP_MODBUS_ANSWERED);
    return true;
}

void tap_modbus_drop(struct tap_modbus *line, size_t n_bytes)
{
    HR_ASSERT(n_bytes <= line->len_bytes);
    memmove(line->frame, line->frame + n_bytes, line->len_bytes - n_bytes);
    line->len_bytes = (uint16_t)(line->len_bytes - n_bytes);
    line->scanned_bytes = 0;
}

enum tap_modbus_state tap_modbus_feed(struct tap_modbus *line, struct hr_bytes bytes)
{
    size_t at = 0;
    if (line->state == TAP_MODBUS_WAITING && bytes.len_bytes > 0) {
        line->saw_bytes = true;
    }
    while (at < bytes.len_bytes && line->state != TAP_MODBUS_BROKEN) {
        /* A step ends with room in the frame: both framings drop what fills it. */
        size_t room = sizeof line->frame - line->len_bytes;
        size_t len = bytes.len_bytes - at < room ? bytes.len_bytes - at : room;
        HR_ASSERT(len > 0);
        memcpy(line->frame + line->len_bytes, bytes.data + at, len);
        line->len_bytes = (uint16_t)(line->len_bytes + len);
        at += len;
        if (line->framing == TAP_MODBUS_RTU) {
            tap_modbus_scan_rtu(line);
        } else {
            tap_modbus_scan_tcp(line);
        }
    }
    return line->state;
}

/* Whether what is left in the frame begins as an answer would. A TCP stream loses no bytes, so whatever is
 * left does. */
static bool is_beginning(const struct tap_modbus *line)
{
    if (line->framing == TAP_MODBUS_TCP || line->len_bytes == 0) {
        return line->len_bytes > 0;
    }
    return line->frame[0] == line->asked.unit &&
           (line->len_bytes == 1 || (line->frame[1] & 0x7F) == (int)line->asked.table);
}

enum tap_modbus_state tap_modbus_over(struct tap_modbus *line)
{
    if (line->state == TAP_MODBUS_WAITING) {
        enum tap_modbus_state state = TAP_MODBUS_NOISE;
        if (line->saw_crc) {
            state = TAP_MODBUS_BAD_CRC;
        } else if (is_beginning(line)) {
            state = TAP_MODBUS_TRUNCATED;
        } else if (line->saw_answer) {
            state = TAP_MODBUS_WRONG_ANSWER;
        } else if (line->saw_unit) {
            state = TAP_MODBUS_WRONG_UNIT;
        } else if (!line->saw_bytes || line->framing == TAP_MODBUS_TCP) { /* there, late answers to others */
            state = TAP_MODBUS_SILENT;
        }
        tap_modbus_end(line, state);
    }
    return line->state;
}

const char *tap_modbus_state_name(enum tap_modbus_state state)
{
    return STATE_NAME[state];
}

void tap_modbus_stats(const struct tap_modbus *line, struct edge_stats *out)
{
    HR_ASSERT(out->n_counters + TAP_MODBUS_N_COUNTERS <= EDGE_STATS_MAX_COUNTERS);
    for (size_t i = 0; i < TAP_MODBUS_N_COUNTERS; i++) {
        struct edge_counter *counter = &out->counter[out->n_counters++];
        memset(counter, 0, sizeof *counter);
        memcpy(counter->name, COUNTER_NAME[i], strlen(COUNTER_NAME[i]));
        counter->value = line->counter[i];
    }
}
