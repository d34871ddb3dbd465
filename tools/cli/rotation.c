/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/rotation.h"

#include "tools/cli/admin_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool cli_rotation_read(const char *verb, const struct cli_admin *admin, uint64_t device_id,
                       struct cli_rotation *out)
{
    static struct cli_admin_reply reply;
    char path[64];
    struct hr_bytes row;
    const char *rest = reply.body;
    (void)snprintf(path, sizeof path, "/devices/%" PRIu64, device_id);
    if (!cli_admin_get(verb, admin, path, NULL, &reply) || !cli_row_next(&rest, &row)) {
        return false;
    }
    *out = (struct cli_rotation){.epoch = (uint32_t)cli_row_number(row, "epoch"),
                                 .is_asked = cli_row_flag(row, "wants_key")};
    cli_row_text(row, "state", out->state, sizeof out->state);
    out->is_rotating = strcmp(out->state, "rotating") == 0;
    return true;
}

bool cli_seconds(const char *text, uint64_t *seconds)
{
    static const char units[] = "smhd";
    static const uint64_t factors[] = {1, 60, 3600, 86400};
    char *end = NULL;
    uint64_t number = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    if (number == 0 || number > UINT32_MAX || (end[0] != '\0' && end[1] != '\0')) {
        return false;
    }
    const char *unit = end[0] == '\0' ? units : strchr(units, end[0]);
    *seconds = unit != NULL ? number * factors[unit - units] : 0;
    return unit != NULL;
}

uint64_t cli_monotonic_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void cli_pause_ms(uint32_t ms)
{
    const struct timespec pause = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    (void)nanosleep(&pause, NULL);
}
