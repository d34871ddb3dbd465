/* SPDX-License-Identifier: Apache-2.0
 *
 * Which form a document is of: the operators' own forms by what is in them, and the answers that are of
 * nobody in particular. */
#include "aggregator/normalize/iso/form.h"

#include "proto/base/assert.h"

#include <string.h>

static const struct norm_iso_form other_forms[] = {
    {.name = "empty_body", .shape = NORM_SHAPE_EMPTY, .kind = NORM_ISO_NOT_FOUND, .iso = NORM_ISO_COUNT},
    {.name = "blob_not_found",
     .shape = NORM_SHAPE_MARKUP,
     .kind = NORM_ISO_NOT_FOUND,
     .signs = {"<Error>", "BlobNotFound"},
     .iso = NORM_ISO_COUNT},
    {.name = "eia_no_data",
     .shape = NORM_SHAPE_JSON,
     .kind = NORM_ISO_NO_DATA,
     .signs = {"\"response\"", "\"frequency\"", "\"total\": 0"},
     .iso = NORM_ISO_COUNT},
    {.name = "eia_v2_json",
     .shape = NORM_SHAPE_JSON,
     .kind = NORM_ISO_OTHER,
     .signs = {"\"response\"", "\"frequency\"", "\"dateFormat\""},
     .iso = NORM_ISO_COUNT},
    {.name = "solar_forecast_library_json", /* made of PJM's answer by a program, not by PJM */
     .shape = NORM_SHAPE_JSON,
     .kind = NORM_ISO_OTHER,
     .signs = {"\"Interval Start\"", "\"Publish Time\""},
     .iso = NORM_ISO_COUNT},
    {.name = "lmp_library_csv",
     .shape = NORM_SHAPE_TEXT,
     .kind = NORM_ISO_OTHER,
     .signs = {"\"interval_start_utc\"", "\"location_type\""},
     .iso = NORM_ISO_COUNT},
    {.name = "workbook_xls",
     .shape = NORM_SHAPE_BINARY,
     .kind = NORM_ISO_OTHER,
     .signs = {"\xD0\xCF\x11\xE0"},
     .iso = NORM_ISO_COUNT},
    {.name = "throttled_text",
     .shape = NORM_SHAPE_TEXT,
     .kind = NORM_ISO_THROTTLED,
     .signs = {"Too Many Requests"},
     .iso = NORM_ISO_COUNT},
    {.name = "html_page",
     .shape = NORM_SHAPE_MARKUP,
     .kind = NORM_ISO_OTHER,
     .signs = {"<h1>"},
     .iso = NORM_ISO_COUNT},
    {.name = "html_page",
     .shape = NORM_SHAPE_MARKUP,
     .kind = NORM_ISO_OTHER,
     .signs = {"<html"},
     .iso = NORM_ISO_COUNT},
    {.name = "html_page",
     .shape = NORM_SHAPE_MARKUP,
     .kind = NORM_ISO_OTHER,
     .signs = {"<HTML"},
     .iso = NORM_ISO_COUNT},
    {.name = "empty_json",
     .shape = NORM_SHAPE_JSON,
     .kind = NORM_ISO_NO_DATA,
     .signs = {"{}"},
     .iso = NORM_ISO_COUNT},
};

const struct norm_iso_forms norm_other_forms = {other_forms, HR_ARRAY_LEN(other_forms)};

static const struct norm_iso_form unknown = {
    .name = "unknown", .kind = NORM_ISO_UNKNOWN, .iso = NORM_ISO_COUNT};

static enum norm_shape shape_of(struct hr_bytes head)
{
    static const uint8_t BOM[3] = {0xEF, 0xBB, 0xBF};
    if (head.len_bytes >= sizeof BOM && memcmp(head.data, BOM, sizeof BOM) == 0) {
        head = hr_bytes_of(head.data + sizeof BOM, head.len_bytes - sizeof BOM);
    }
    head = norm_trim(head);
    if (head.len_bytes == 0) {
        return NORM_SHAPE_EMPTY;
    }
    if (head.data[0] == '<') {
        return NORM_SHAPE_MARKUP;
    }
    if (head.data[0] == '{' || head.data[0] == '[') {
        return NORM_SHAPE_JSON;
    }
    return memchr(head.data, 0, head.len_bytes) != NULL ? NORM_SHAPE_BINARY : NORM_SHAPE_TEXT;
}

static bool has_signs(struct hr_bytes head, const struct norm_iso_form *form)
{
    for (size_t i = 0; i < NORM_FORM_SIGNS && form->signs[i] != NULL; i++) {
        if (!norm_text_has(head, form->signs[i])) {
            return false;
        }
    }
    return true;
}

static const struct norm_iso_forms *const all_forms[] = {
    &norm_caiso_forms,     &norm_caiso_outlook_forms, &norm_miso_forms,  &norm_spp_forms,
    &norm_spp_power_forms, &norm_pjm_forms,           &norm_ercot_forms, &norm_ercot_power_forms,
    &norm_isone_forms,     &norm_nyiso_forms,         &norm_other_forms};

const struct norm_iso_form *norm_form_of(struct hr_bytes head, struct hr_bytes name)
{
    enum norm_shape shape = shape_of(head);
    for (size_t i = 0; i < HR_ARRAY_LEN(all_forms); i++) {
        for (size_t j = 0; j < all_forms[i]->n_forms; j++) {
            const struct norm_iso_form *form = &all_forms[i]->forms[j];
            bool is_named = form->name_has == NULL || norm_text_has(name, form->name_has);
            if (form->shape == shape && is_named && has_signs(head, form)) {
                return form;
            }
        }
    }
    return &unknown;
}

enum norm_iso_fit norm_iso_form_fits(const char *name, enum norm_iso iso, enum norm_iso_product product)
{
    enum norm_iso_fit fit = NORM_ISO_NO_SUCH_FORM;
    for (size_t i = 0; i < HR_ARRAY_LEN(all_forms); i++) {
        for (size_t j = 0; j < all_forms[i]->n_forms; j++) {
            const struct norm_iso_form *form = &all_forms[i]->forms[j];
            if (form->kind != NORM_ISO_DATA || strcmp(form->name, name) != 0) {
                continue;
            }
            if (form->iso == iso && (form->products & 1U << product) != 0) {
                return NORM_ISO_FITS;
            }
            fit = NORM_ISO_OF_OTHER_FEEDS;
        }
    }
    return fit;
}

size_t norm_iso_form_names(enum norm_iso iso, const char **names, size_t capacity)
{
    size_t n = 0;
    for (size_t i = 0; i < HR_ARRAY_LEN(all_forms); i++) {
        for (size_t j = 0; j < all_forms[i]->n_forms && n < capacity; j++) {
            const struct norm_iso_form *form = &all_forms[i]->forms[j];
            bool is_listed = form->kind != NORM_ISO_DATA || form->iso != iso;
            for (size_t k = 0; k < n && !is_listed; k++) {
                is_listed = strcmp(names[k], form->name) == 0;
            }
            if (!is_listed) {
                names[n++] = form->name;
            }
        }
    }
    return n;
}
