/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/family/semihost.h"

#include <stdint.h>

enum { GET_COMMAND = 0x15, EXIT_EXTENDED = 0x20, STOPPED_APPLICATION_EXIT = 0x20026 };

static uint32_t call(uint32_t operation, const void *arguments)
{
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = arguments;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

_Noreturn void board_semihost_exit(int code)
{
    const uint32_t arguments[2] = {STOPPED_APPLICATION_EXIT, (uint32_t)code};
    for (;;) {
        (void)call(EXIT_EXTENDED, arguments);
    }
}

bool board_semihost_command(char *out, size_t capacity_bytes)
{
    uintptr_t arguments[2] = {(uintptr_t)out, capacity_bytes};
    return call(GET_COMMAND, arguments) == 0;
}
