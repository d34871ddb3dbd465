/* SPDX-License-Identifier: Apache-2.0
 *
 * Any registers: as a model (the first two octets say which) and as answers to a search for models. Nothing
 * is read beyond them, every walk ends, and every value prints. */
#include "firmware/taps/sunspec/tap_sunspec.h"
#include "proto/base/assert.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

enum { REGISTERS_MAX = 1024 };

static uint16_t registers[REGISTERS_MAX];

static void read_model(const struct tap_sunspec_model *model, uint16_t n_registers)
{
    struct tap_sunspec_walk walk;
    struct tap_sunspec_value value;
    char name[TAP_SUNSPEC_NAME_MAX_BYTES];
    char text[TAP_SUNSPEC_TEXT_MAX_BYTES];
    size_t end = 0;
    tap_sunspec_walk(&walk, model, registers, n_registers);
    while (tap_sunspec_next(&walk, &value)) {
        HR_ASSERT(value.at >= end && value.at + value.point->n_registers <= n_registers);
        end = (size_t)value.at + value.point->n_registers;
        tap_sunspec_name(&value, name);
        HR_ASSERT(strlen(name) >= strlen(value.point->name));
        if (value.form == TAP_SUNSPEC_TEXT) {
            HR_ASSERT(tap_sunspec_text(&value, text) > 0);
        }
        HR_ASSERT(value.scale >= -TAP_SUNSPEC_SCALE_MOST && value.scale <= TAP_SUNSPEC_SCALE_MOST);
    }
}

static void search(size_t n_registers)
{
    static struct tap_sunspec_discovery discovery;
    size_t at = 0;
    tap_sunspec_discover(&discovery, 1);
    while (discovery.state == TAP_SUNSPEC_SEARCHING) {
        struct tap_modbus_request question;
        tap_sunspec_question(&discovery, &question);
        HR_ASSERT((uint32_t)question.address + question.n_registers <= 65536U);
        tap_sunspec_answer(&discovery, at + 2 <= n_registers ? &registers[at] : NULL);
        at += 2;
    }
    for (size_t i = 1; i < discovery.n_models; i++) {
        HR_ASSERT(discovery.models[i].address ==
                  discovery.models[i - 1].address + discovery.models[i - 1].n_registers);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    size_t n_registers = len_bytes / 2 < REGISTERS_MAX ? len_bytes / 2 : REGISTERS_MAX;
    memset(registers, 0xAA, sizeof registers);
    for (size_t i = 0; i < n_registers; i++) {
        registers[i] = (uint16_t)(data[2 * i] << 8 | data[2 * i + 1]);
    }
    const struct tap_sunspec_model *model = n_registers > 0 ? tap_sunspec_model(registers[0]) : NULL;
    if (model != NULL) {
        read_model(model, (uint16_t)n_registers);
    }
    search(n_registers);
    return 0;
}
