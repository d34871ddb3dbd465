/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/config/internal.h"

/* Messages quote the file, and a log line must stay one line. */
static void blank_controls(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7F) {
            *text = '?';
        }
    }
}

void conf_report_add(struct conf_report *report, uint32_t line, const char *key, const char *format,
                     va_list arguments)
{
    uint32_t index = report->n_errors++;
    if (index >= CONF_MAX_ERRORS) {
        return;
    }
    struct conf_error *error = &report->errors[index];
    error->line = line;
    (void)snprintf(error->key, sizeof error->key, "%s", key);
    (void)vsnprintf(error->message, sizeof error->message, format, arguments);
    blank_controls(error->key);
    blank_controls(error->message);
}

void conf_report_sort(struct conf_report *report)
{
    uint32_t n_kept = report->n_errors < CONF_MAX_ERRORS ? report->n_errors : CONF_MAX_ERRORS;
    for (uint32_t i = 1; i < n_kept; i++) {
        struct conf_error moved = report->errors[i];
        uint32_t at = i;
        for (; at > 0 && report->errors[at - 1].line > moved.line; at--) {
            report->errors[at] = report->errors[at - 1];
        }
        report->errors[at] = moved;
    }
}

void conf_report_print(const struct conf_report *report, FILE *out)
{
    uint32_t n_kept = report->n_errors < CONF_MAX_ERRORS ? report->n_errors : CONF_MAX_ERRORS;
    for (uint32_t i = 0; i < n_kept; i++) {
        const struct conf_error *error = &report->errors[i];
        (void)fprintf(out, "%s:", report->file);
        if (error->line != 0) {
            (void)fprintf(out, "%u:", (unsigned)error->line);
        }
        if (error->key[0] != '\0') {
            (void)fprintf(out, "%s:", error->key);
        }
        (void)fprintf(out, " %s\n", error->message);
    }
    if (report->n_errors > n_kept) {
        (void)fprintf(out, "%s: and %u more errors\n", report->file, (unsigned)(report->n_errors - n_kept));
    }
}
