/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/family/command.h"
#include "boards/family/cut.h"
#include "proto/base/failpoint.h"

#include <string.h>

void hr_failpoint(const char *name)
{
    static uint32_t n_passed;
    const char *wanted = board_command_value("failpoint");
    const size_t len = strlen(name);
    if (wanted != NULL && strncmp(wanted, name, len) == 0 && wanted[len] == ':' &&
        ++n_passed == board_command_number(wanted + len + 1, NULL)) {
        board_cut_power();
    }
}
