/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/family/command.h"

#include "boards/family/semihost.h"

#include <string.h>

enum { COMMAND_MAX_CHARS = 127 };

static char command[COMMAND_MAX_CHARS + 1];
static bool asked;

const char *board_command_value(const char *name)
{
    if (!asked) {
        asked = true;
        if (!board_semihost_command(command, sizeof command)) {
            command[0] = '\0';
        }
    }
    size_t len = strlen(name);
    for (const char *word = command; word != NULL; word = strchr(word, ' ')) {
        word += *word == ' ' ? 1 : 0;
        if (strncmp(word, name, len) == 0 && word[len] == '=') {
            return word + len + 1;
        }
    }
    return NULL;
}

uint32_t board_command_number(const char *value, const char **rest)
{
    uint32_t number = 0;
    while (*value >= '0' && *value <= '9') {
        number = number * 10 + (uint32_t)(*value - '0');
        value++;
    }
    if (rest != NULL) {
        *rest = value;
    }
    return number;
}
