/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feeds/file/book.h"

#include "proto/feeds/file/embedded.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct hr_status add(struct feeds_book *book, const struct feeds_feed *feed)
{
    if (book->n_feeds == FEEDS_BOOK_MAX) {
        return hr_status_of(HR_FULL);
    }
    memcpy(book->feeds[book->n_feeds].name, feed->name, sizeof feed->name);
    book->feeds[book->n_feeds++].rules = feed->rules;
    return hr_ok();
}

static struct hr_status fill_embedded(struct feeds_book *book, struct conf_report *report)
{
    struct feeds_feed feed;
    for (const struct feeds_embedded *from = feeds_embedded; from->name != NULL; from++) {
        HR_TRY(feeds_file_parse(from->name, from->text, &feed, report));
        HR_TRY(add(book, &feed));
    }
    return hr_ok();
}

static struct hr_status fill_folder(struct feeds_book *book, struct feeds_paths *paths, const char *folder,
                                    struct conf_report *report)
{
    struct feeds_feed feed;
    struct hr_status listed = feeds_paths_add(paths, folder);
    if (!hr_is_ok(listed)) {
        report->n_errors = 1;
        (void)snprintf(report->errors[0].message, sizeof report->errors[0].message, "%s", strerror(errno));
        return listed;
    }
    for (size_t i = 0; i < paths->n_paths; i++) {
        HR_TRY(feeds_file_load(paths->paths[i], &feed, report));
        HR_TRY(add(book, &feed));
    }
    return hr_ok();
}

struct hr_status feeds_book_fill(struct feeds_book *book, const char *folder, struct conf_report *report)
{
    struct hr_status status;
    book->n_feeds = 0;
    *report = (struct conf_report){.n_errors = 0};
    (void)snprintf(report->file, sizeof report->file, "%s", folder == NULL ? "schemas/feeds" : folder);
    if (folder == NULL) {
        status = fill_embedded(book, report);
    } else {
        struct feeds_paths *paths = calloc(1, sizeof *paths);
        status = paths == NULL ? hr_status_of(HR_FULL) : fill_folder(book, paths, folder, report);
        free(paths);
    }
    if (!hr_is_ok(status)) {
        book->n_feeds = 0;
    }
    return status;
}

const struct feeds_rules *feeds_book_rules(const struct feeds_book *book, const char *name)
{
    static const struct feeds_rules none;
    for (size_t i = 0; i < book->n_feeds; i++) {
        if (strcmp(book->feeds[i].name, name) == 0) {
            return &book->feeds[i].rules;
        }
    }
    return &none;
}
