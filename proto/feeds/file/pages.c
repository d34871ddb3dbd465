/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feeds/file/pages.h"

#include "proto/feeds/url.h"

#include <string.h>

enum { HOUR_MS = 3600000 };

static const char *check_word(const char *text)
{
    size_t n_letters = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    return n_letters == strlen(text) ? NULL : "takes letters, digits and _ only";
}

#define WORD(name, member)                                                                                   \
    .key = (name), .type = CONF_STRING, CONF_AT(struct feeds_pages, member), .required = true, .min = 1,     \
    .check_text = check_word

static const struct conf_field fields[] = {
    {WORD("parameter", parameter), .help = "Of the request: page, startRow; it is added to the URL."},
    {WORD("total", total),
     .help = "The number of the JSON answer that tells how much there is: totalPages, totalRows."},
    {.key = "rows",
     .type = CONF_UINT,
     CONF_AT(struct feeds_pages, rows),
     .fallback = "0",
     .max = 1000000,
     .help = "Of a page; parameter and total then count rows. Without it they count pages."},
    {.key = "first",
     .type = CONF_UINT,
     CONF_AT(struct feeds_pages, first),
     .fallback = "1",
     .max = 1,
     .help = "What the parameter is for the first page."},
    {.key = "max",
     .type = CONF_UINT,
     CONF_AT(struct feeds_pages, max),
     .required = true,
     .min = 2,
     .max = 100,
     .help = "Pages that are asked for at most; that there are more is told in the log."},
};
const struct conf_table feeds_pages_table = {CONF_FIELDS(fields)};

void feeds_pages_check(const struct feeds_feed *feed, struct conf_place *place)
{
    if (feed->has_pages && feed->expect != FEEDS_JSON) {
        conf_complain(place, "pages", "only of JSON it can be told how many there are: expect: json");
    }
    const struct feeds_zone utc = {.standard_s = 0};
    char url[FEEDS_REQUEST_MAX_CHARS + 1];
    bool is_good = feed->has_pages &&
                   feeds_url_expand(feed->url, &utc, (struct feeds_window){0, HOUR_MS}, 0, url) == NULL;
    if (is_good && !feeds_url_add_page(&feed->pages, feed->pages.max, url)) {
        conf_complain(place, "url", "is too long with the parameter of the pages");
    }
    if (feed->has_pages && strstr(feed->url, feed->pages.parameter) != NULL) {
        conf_complain(place, "url", "has the parameter of the pages, which is added to it");
    }
}
