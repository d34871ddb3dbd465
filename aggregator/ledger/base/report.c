/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/base/report.h"

#include <stdarg.h>
#include <stdio.h>

void ledger_say(const struct ledger_report *report, const char *format, ...)
{
    if (report->log == NULL) {
        return;
    }
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    report->log(report->ctx, text);
}
