/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/telemetry/symbol.h"

#include "firmware/taps/sunspec/tap_sunspec.h"
#include "proto/base/cursor.h"

#include <string.h>

enum { BIT_CHARS = 8 };

/* Does the path begin with this name? What is behind it, "" at its end; NULL: no. An index in brackets is
 * part of a group's name only. */
static const char *behind_name(const char *path, const char *name, bool is_group)
{
    size_t len = strlen(name);
    if (strncmp(path, name, len) != 0) {
        return NULL;
    }
    path += len;
    if (!is_group) {
        return *path == '\0' ? path : NULL;
    }
    if (*path == '[') {
        path = strchr(path, ']');
        if (path == NULL) {
            return NULL;
        }
        path++;
    }
    return *path == '.' ? path + 1 : NULL;
}

/* The point that the path names, "Crv[1].MustTrip.Pt[3].V"; NULL: the model has none. */
static const struct tap_sunspec_item *point_of(const struct tap_sunspec_model *model, const char *path)
{
    uint16_t at = 0;
    while (at < model->n_items) {
        const struct tap_sunspec_item *item = &model->items[at];
        if (item->type == TAP_SUNSPEC_END) {
            return NULL; /* of the group whose points those were */
        }
        bool is_group = item->type == TAP_SUNSPEC_GROUP;
        const char *behind = behind_name(path, item->name, is_group);
        if (behind != NULL && !is_group) {
            return item;
        }
        if (behind != NULL) {
            path = behind;
            at++;
        } else {
            at = is_group ? (uint16_t)(item->pair + 1u) : (uint16_t)(at + 1u);
        }
    }
    return NULL;
}

/* The name in "0=off;1=on"; empty: none. */
static struct hr_bytes name_in(const char *symbols, uint32_t value)
{
    while (*symbols != '\0') {
        uint64_t number = 0;
        const char *at = symbols;
        for (; *at >= '0' && *at <= '9' && number <= UINT32_MAX; at++) {
            number = number * 10 + (uint64_t)(*at - '0');
        }
        const char *end = strchr(symbols, ';');
        size_t len = end != NULL ? (size_t)(end - symbols) : strlen(symbols);
        if (at > symbols && *at == '=' && number == value) {
            return hr_bytes_of(at + 1, (size_t)(symbols + len - at - 1));
        }
        symbols += len + (end != NULL ? 1 : 0);
    }
    return hr_bytes_of(NULL, 0);
}

static struct hr_bytes name_of(const struct edge_channel *channel, const struct tap_sunspec_item *point,
                               uint32_t value)
{
    const char *name = point != NULL ? tap_sunspec_symbol(point, value) : NULL;
    return name != NULL ? hr_bytes_of(name, strlen(name)) : name_in(channel->symbols, value);
}

static size_t put_bits(const struct edge_channel *channel, const struct tap_sunspec_item *point,
                       uint64_t bits, char out[NORM_SYMBOL_CHARS])
{
    size_t len = 0;
    for (uint32_t bit = 0; bit < 64; bit++) {
        if ((bits >> bit & 1u) == 0) {
            continue;
        }
        char digits[BIT_CHARS] = {'b', 'i', 't', ' ', (char)('0' + bit / 10), (char)('0' + bit % 10)};
        struct hr_bytes name = name_of(channel, point, bit);
        if (name.len_bytes == 0) {
            digits[4] = bit < 10 ? digits[5] : digits[4];
            name = hr_bytes_of(digits, bit < 10 ? 5 : 6);
        }
        size_t comma = len > 0 ? 1 : 0;
        if (len + comma + name.len_bytes > NORM_SYMBOL_CHARS) {
            break;
        }
        out[len] = ',';
        memcpy(out + len + comma, name.data, name.len_bytes);
        len += comma + name.len_bytes;
    }
    return len;
}

static const struct tap_sunspec_model *model_of(const struct edge_channel *channel)
{
    bool has_model = channel->model >= 1 && channel->model <= UINT16_MAX;
    return has_model ? tap_sunspec_model((uint16_t)channel->model) : NULL;
}

size_t norm_symbol(const struct edge_channel *channel, int64_t value, char out[NORM_SYMBOL_CHARS])
{
    const struct tap_sunspec_model *model = model_of(channel);
    const struct tap_sunspec_item *point = model != NULL ? point_of(model, channel->point) : NULL;
    if (channel->kind == EDGE_CHANNEL_BITFIELD) {
        return put_bits(channel, point, (uint64_t)value, out);
    }
    struct hr_bytes name = hr_bytes_of(NULL, 0);
    if (value >= 0 && value <= (int64_t)UINT32_MAX) {
        name = name_of(channel, point, (uint32_t)value);
    }
    if (name.len_bytes == 0) {
        return SIZE_MAX;
    }
    size_t len = name.len_bytes < NORM_SYMBOL_CHARS ? name.len_bytes : NORM_SYMBOL_CHARS;
    memcpy(out, name.data, len);
    return len;
}

const char *norm_symbol_model(const struct edge_channel *channel)
{
    const struct tap_sunspec_model *model = model_of(channel);
    return model != NULL ? model->name : NULL;
}
