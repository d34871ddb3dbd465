/* SPDX-License-Identifier: Apache-2.0
 *
 * The console's shell: one line, one command. A locked console, which is what a provisioned board has,
 * answers what tells states and no secrets, and refuses what would change something. [loop] */
#ifndef APP_SHELL_H
#define APP_SHELL_H

#include <stdbool.h>
#include <stdint.h>

enum { APP_SHELL_LINE_MAX_CHARS = 79 }; /* of the provisioning ceremony */

struct app_device;

struct app_shell {
    char line[APP_SHELL_LINE_MAX_CHARS + 1];
    uint32_t n_chars;
    bool overlong; /* the line in progress is too long and will be refused */
    bool has_ceremony;
    uint32_t refused; /* lines that were too long, unknown, or locked */
};

/* The identity's memory was read: lines of the ceremony (firmware/core/ceremony.h) are answered from now on.
 */
void app_shell_start_ceremony(struct app_device *device);

/* Takes what was typed, and answers whole lines. True: something was typed. */
bool app_shell_step(struct app_shell *shell, struct app_device *device);

#endif
