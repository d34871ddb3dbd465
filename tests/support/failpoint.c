/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/failpoint.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if HR_FAULTS
void hr_failpoint(const char *name)
{
    static atomic_long passed;
    const char *wanted = getenv("HEADRACE_FAILPOINT");
    size_t len = strlen(name);
    if (wanted == NULL || strncmp(wanted, name, len) != 0 || wanted[len] != ':') {
        return;
    }
    char *more = NULL;
    if (atomic_fetch_add(&passed, 1) + 1 == strtol(wanted + len + 1, &more, 10)) {
        (void)fprintf(stderr, "{\"event\":\"failpoint\",\"name\":\"%s\"}\n", name);
        (void)raise(strcmp(more, ":stop") == 0 ? SIGSTOP : SIGKILL);
    }
}
#endif
