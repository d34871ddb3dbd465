/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules of many feeds by name, for who looks at their rows: those of a folder, or those that the program
 * was built with. Some 190 KB; static storage, or the caller's heap. [any] */
#ifndef FEEDS_FILE_BOOK_H
#define FEEDS_FILE_BOOK_H

#include "proto/feeds/file/file.h"

enum { FEEDS_BOOK_MAX = 128 };

struct feeds_book {
    size_t n_feeds;
    struct {
        char name[FEEDS_NAME_MAX_CHARS + 1];
        struct feeds_rules rules;
    } feeds[FEEDS_BOOK_MAX];
};

/* Takes the feeds of a folder (or one file); NULL: those of schemas/feeds as of the build. HR_MALFORMED,
 * HR_NOT_FOUND, HR_IO: report tells of the first file that is wrong. HR_FULL: there are more than
 * FEEDS_BOOK_MAX. Then the book is empty. */
HR_MUST_USE struct hr_status feeds_book_fill(struct feeds_book *book, const char *folder,
                                             struct conf_report *report);

/* Never NULL: a feed that the book doesn't know has no rules. Borrowed from the book, or static. */
const struct feeds_rules *feeds_book_rules(const struct feeds_book *book, const char *name);

#endif
