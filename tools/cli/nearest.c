/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/nearest.h"

#include "tools/cli/cli.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { WORD_MAX_CHARS = 24, SLIP_LETTERS = 3 }; /* farther off is no slip of the finger */

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

size_t cli_word_distance(const char *a, const char *b)
{
    size_t row[WORD_MAX_CHARS + 1];
    size_t len = strlen(b);
    if (len > WORD_MAX_CHARS) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= len; j++) {
            size_t above = row[j];
            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
            diagonal = above;
        }
    }
    return row[len];
}

const char *cli_nearest(const char *word, const char *const *words, size_t n_words)
{
    const char *nearest = NULL;
    size_t distance = SLIP_LETTERS;
    for (size_t i = 0; i < n_words; i++) {
        size_t d = cli_word_distance(word, words[i]);
        if (d < distance) {
            nearest = words[i];
            distance = d;
        }
    }
    return nearest;
}

FILE *cli_help_begin(const char *verb, const char *word, const char *const *words, size_t n_words)
{
    if (word != NULL && (strcmp(word, "--help") == 0 || strcmp(word, "help") == 0)) {
        return stdout;
    }
    if (word != NULL) {
        const char *nearest = cli_nearest(word, words, n_words);
        (void)fprintf(stderr, "headrace %s: no verb '%s'%s%s%s\n", verb, word,
                      nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
                      nearest != NULL ? "'?" : "");
    }
    return stderr;
}

int cli_help_end(FILE *out)
{
    (void)fputs("Each has --help. Exit codes: 0 good, 1 refused or could not be done, 2 can't be judged yet, "
                "3 wrong usage.\n",
                out);
    return out == stdout ? CLI_OK : CLI_USAGE;
}
