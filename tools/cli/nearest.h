/* SPDX-License-Identifier: Apache-2.0
 *
 * What somebody may have meant by a word that nobody knows. */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

#include <stddef.h>
#include <stdio.h>

/* Letters that must change to make `a` of `b` (Levenshtein); SIZE_MAX for words too long to be worth it. */
size_t cli_word_distance(const char *a, const char *b);

/* The one of the words that is a slip of the finger away; NULL: none is. */
const char *cli_nearest(const char *word, const char *const *words, size_t n_words);

/* Of a verb with verbs of its own, such as `headrace ca`, where the usage goes: stdout for "--help"; stderr
 * when another word stands there, which is told with the nearest one, or none. */
FILE *cli_help_begin(const char *verb, const char *word, const char *const *words, size_t n_words);
/* What stands behind each usage; the exit code of the program. */
int cli_help_end(FILE *out);

#endif
