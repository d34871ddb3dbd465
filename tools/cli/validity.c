/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/validity.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { DAY_S = 86400 };

static const int64_t first_possible_utc_s = INT64_C(1704067200); /* 2024-01-01 */

void cli_day_of(int64_t utc_s, char out[CLI_DAY_CHARS])
{
    const time_t time_s = (time_t)utc_s;
    struct tm day;
    if (gmtime_r(&time_s, &day) == NULL || strftime(out, CLI_DAY_CHARS, "%Y-%m-%d", &day) == 0) {
        (void)snprintf(out, CLI_DAY_CHARS, "?");
    }
}

void cli_day_of_certificate(const ASN1_TIME *time, char out[CLI_DAY_CHARS])
{
    struct tm day = {.tm_year = 0};
    if (ASN1_TIME_to_tm(time, &day) != 1 || strftime(out, CLI_DAY_CHARS, "%Y-%m-%d", &day) == 0) {
        (void)snprintf(out, CLI_DAY_CHARS, "?");
    }
}

struct hr_status cli_validity_clock(void)
{
    char now[CLI_DAY_CHARS];
    if (time(NULL) >= first_possible_utc_s) {
        return hr_ok();
    }
    cli_day_of(time(NULL), now);
    (void)fprintf(
        stderr,
        "headrace: this machine's clock says %s, which can't be: set it (`timedatectl set-ntp true`), "
        "and say it again; nothing was signed\n",
        now);
    return hr_status_of(HR_DENIED);
}

struct hr_status cli_validity_issuer(const char *path, const X509 *certificate)
{
    char now[CLI_DAY_CHARS], begin[CLI_DAY_CHARS], end[CLI_DAY_CHARS];
    const bool has_begun = X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0;
    const bool has_ended = X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
    if (has_begun && !has_ended) {
        return hr_ok();
    }
    cli_day_of(time(NULL), now);
    cli_day_of_certificate(X509_get0_notBefore(certificate), begin);
    cli_day_of_certificate(X509_get0_notAfter(certificate), end);
    if (has_begun) {
        (void)fprintf(stderr,
                      "headrace: %s ended on %s, and this machine's clock says %s: set the clock; if it is "
                      "right, make another issuer (`headrace ca issuer`). Nothing was signed\n",
                      path, end, now);
    } else {
        (void)fprintf(
            stderr,
            "headrace: %s begins on %s, and this machine's clock says %s: set the clock, and say it "
            "again; nothing was signed\n",
            path, begin, now);
    }
    return hr_status_of(HR_DENIED);
}

bool cli_validity_own(const char *path, const X509 *certificate, char *why, size_t capacity)
{
    char now[CLI_DAY_CHARS], begin[CLI_DAY_CHARS], end[CLI_DAY_CHARS];
    const bool has_begun = X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0;
    const bool has_ended = X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
    cli_day_of(time(NULL), now);
    cli_day_of_certificate(X509_get0_notBefore(certificate), begin);
    cli_day_of_certificate(X509_get0_notAfter(certificate), end);
    if (!has_begun) {
        (void)snprintf(why, capacity, "%s begins on %s, and this machine's clock says %s: set the clock",
                       path, begin, now);
    } else if (has_ended) {
        (void)snprintf(why, capacity,
                       "%s ended on %s (this machine's clock says %s): have another one made where the "
                       "authority is kept, `headrace ca operator --force`",
                       path, end, now);
    }
    return has_begun && !has_ended;
}

struct hr_status cli_validity_beside(const char *verb, int64_t aggregator_utc_s)
{
    char here[CLI_DAY_CHARS], there[CLI_DAY_CHARS];
    const int64_t now_s = (int64_t)time(NULL);
    if (aggregator_utc_s == 0 || llabs((long long)(now_s - aggregator_utc_s)) <= DAY_S) {
        return hr_ok();
    }
    cli_day_of(now_s, here);
    cli_day_of(aggregator_utc_s, there);
    (void)fprintf(stderr,
                  "headrace %s: this machine's clock says %s and the aggregator's %s: set the one that is "
                  "wrong, and say it again; certificates would be for the wrong years. Nothing was changed\n",
                  verb, here, there);
    return hr_status_of(HR_DENIED);
}
