/* SPDX-License-Identifier: Apache-2.0
 *
 * The recorded payloads of the operators: HEADRACE_CORPUS, or ../shared/corpus beside the repository. */
#ifndef ISO_CORPUS_H
#define ISO_CORPUS_H

#include "tests/support/iso_lab.h"

enum { ISO_CORPUS_SKIPPED = 77 };

/* False, and told, without a corpus; asked first. */
bool iso_corpus_is_there(void);
/* The file of that name in the corpus' iso/; fails the test when there is none. */
struct hr_bytes iso_corpus_load(const char *file);
void iso_corpus_unload(struct hr_bytes bytes);
/* iso_lab_read of it under its own name. */
void iso_corpus_read(const char *feed, const char *file);
/* Calls with each file that PROVENANCE.tsv lists. */
void iso_corpus_each(void (*take)(void *ctx, const char *file), void *ctx);

#endif
