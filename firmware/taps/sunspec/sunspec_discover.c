/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/sunspec/tap_sunspec.h"
#include "proto/base/assert.h"

#include <string.h>

enum { END_MODEL = 0xFFFF, ADDRESSES = 65536, MARK_HIGH = 0x5375 /* "Su" */, MARK_LOW = 0x6E53 /* "nS" */ };

/* In the order of the specification's section 4.2.2. */
static const uint16_t BASE[] = {40000, 0, 50000};

void tap_sunspec_discover(struct tap_sunspec_discovery *discovery, uint8_t unit)
{
    memset(discovery, 0, sizeof *discovery);
    discovery->unit = unit;
    discovery->address = BASE[0];
}

void tap_sunspec_question(const struct tap_sunspec_discovery *discovery, struct tap_modbus_request *out)
{
    HR_ASSERT(discovery->state == TAP_SUNSPEC_SEARCHING);
    *out = (struct tap_modbus_request){
        .unit = discovery->unit,
        .table = TAP_MODBUS_HOLDING,
        .address = (uint16_t)discovery->address,
        .n_registers = TAP_SUNSPEC_HEAD_REGISTERS,
    };
}

/* The next model's head is asked for, if it has an address. */
static void go_to(struct tap_sunspec_discovery *discovery, uint32_t address)
{
    discovery->address = address;
    if (address + TAP_SUNSPEC_HEAD_REGISTERS > ADDRESSES) {
        discovery->state = TAP_SUNSPEC_CUT;
    }
}

static void take_mark(struct tap_sunspec_discovery *discovery, const uint16_t *registers)
{
    if (registers != NULL && registers[0] == MARK_HIGH && registers[1] == MARK_LOW) {
        discovery->has_base = true;
        go_to(discovery, discovery->address + TAP_SUNSPEC_HEAD_REGISTERS);
        return;
    }
    discovery->base++;
    if (discovery->base == HR_ARRAY_LEN(BASE)) {
        discovery->state = TAP_SUNSPEC_NO_SUNSPEC;
    } else {
        discovery->address = BASE[discovery->base];
    }
}

void tap_sunspec_answer(struct tap_sunspec_discovery *discovery, const uint16_t *registers)
{
    HR_ASSERT(discovery->state == TAP_SUNSPEC_SEARCHING);
    if (!discovery->has_base) {
        take_mark(discovery, registers);
        return;
    }
    if (registers == NULL) {
        discovery->state = TAP_SUNSPEC_CUT;
        return;
    }
    if (registers[0] == END_MODEL) {
        discovery->state = TAP_SUNSPEC_FOUND;
        return;
    }
    uint32_t end = discovery->address + TAP_SUNSPEC_HEAD_REGISTERS + registers[1];
    if (discovery->n_models == TAP_SUNSPEC_FOUND_MAX || end > ADDRESSES) {
        discovery->state = TAP_SUNSPEC_CUT;
        return;
    }
    discovery->models[discovery->n_models++] = (struct tap_sunspec_found){
        .id = registers[0],
        .address = (uint16_t)discovery->address,
        .n_registers = (uint16_t)(end - discovery->address),
    };
    go_to(discovery, end);
}
