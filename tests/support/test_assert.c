/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test_assert.h"

#include "proto/base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_ASSERTED = 87 }; /* no code that a sanitizer or cmocka ends with */

static bool in_child;

_Noreturn void hr_assert_failed(const char *expression, const char *file, int line)
{
    if (in_child) {
        _exit(EXIT_ASSERTED);
    }
    (void)fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    abort();
}

bool test_asserts(void (*body)(void *ctx), void *ctx)
{
    pid_t child = fork();
    if (child == 0) {
        in_child = true;
        body(ctx);
        _exit(EXIT_SUCCESS);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("test_asserts");
        abort();
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_ASSERTED;
}
