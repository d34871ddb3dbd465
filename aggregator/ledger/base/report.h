/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_REPORT_H
#define LEDGER_REPORT_H

/* Where a ledger says what failed: one line without newline. [any thread that calls the ledger] */
struct ledger_report {
    void (*log)(void *ctx, const char *text); /* may be NULL */
    void *ctx;
};

/* Cut to 511 characters. */
void ledger_say(const struct ledger_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
