/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/poll/total.h"

#include <string.h>

void poll_total_begin(struct poll_total *total, const char *name)
{
    *total = (struct poll_total){.name = name};
}

/* The name stands in quotes, and has none itself: a text that ends in another way began anew at the last one.
 */
static void see_name(struct poll_total *total, uint8_t byte)
{
    size_t len = strlen(total->name);
    uint8_t wanted = (uint8_t)'"';
    if (total->n_matched > 0 && total->n_matched <= len) {
        wanted = (uint8_t)total->name[total->n_matched - 1];
    }
    if (byte != wanted) {
        total->n_matched = byte == '"' ? 1 : 0;
        return;
    }
    total->n_matched++;
    if (total->n_matched == len + 2) {
        total->n_matched = 0;
        total->state = POLL_TOTAL_COLON;
    }
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static void see_digit(struct poll_total *total, uint8_t byte)
{
    if (byte < '0' || byte > '9') {
        total->state = POLL_TOTAL_OVER;
        return;
    }
    uint64_t number = (uint64_t)total->number * 10 + (byte - (uint8_t)'0');
    total->number = number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
}

/* Some operators print numbers as texts. */
static void see_value(struct poll_total *total, uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        total->is_found = true;
        total->state = POLL_TOTAL_DIGITS;
        see_digit(total, byte);
    } else if (!is_blank(byte) && byte != '"') {
        total->state = POLL_TOTAL_NAME;
    }
}

void poll_total_see(struct poll_total *total, struct hr_bytes bytes)
{
    for (size_t i = 0; i < bytes.len_bytes && total->state != POLL_TOTAL_OVER; i++) {
        uint8_t byte = bytes.data[i];
        switch (total->state) {
        case POLL_TOTAL_NAME:
            see_name(total, byte);
            break;
        case POLL_TOTAL_COLON:
            if (byte == ':') {
                total->state = POLL_TOTAL_VALUE;
            } else if (!is_blank(byte)) {
                total->state = POLL_TOTAL_NAME;
                see_name(total, byte);
            }
            break;
        case POLL_TOTAL_VALUE:
            see_value(total, byte);
            break;
        case POLL_TOTAL_DIGITS:
            see_digit(total, byte);
            break;
        case POLL_TOTAL_OVER:
            break;
        }
    }
}

uint32_t poll_total_pages(const struct poll_total *total, const struct feeds_pages *pages)
{
    if (!total->is_found) {
        return 0;
    }
    uint32_t rows = pages->rows > 0 ? pages->rows : 1;
    uint32_t n_pages = total->number / rows + (total->number % rows > 0 ? 1 : 0);
    return n_pages > 0 ? n_pages : 1;
}
