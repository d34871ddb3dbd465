/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/decision.h"

#include "proto/base/assert.h"
#include "proto/base/text.h"
#include "tools/cli/admin_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_CHARS = 96, BODY_MAX_BYTES = 512, REASON_MAX_BYTES = 63 };

/* A string as JSON; false: it is empty, too long, no UTF-8 or has control characters. */
static bool quote(const char *text, char *out, size_t capacity)
{
    size_t at = 0;
    size_t len = strlen(text);
    if (len == 0 || len > REASON_MAX_BYTES || !hr_text_ok(hr_bytes_of(text, len)) ||
        capacity < 2 * REASON_MAX_BYTES + 3) {
        return false;
    }
    out[at++] = '"';
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\') {
            out[at++] = '\\';
        }
        out[at++] = text[i];
    }
    out[at++] = '"';
    out[at] = '\0';
    return true;
}

/* Who sits here, for the audit entry; NULL: nobody with a name that can stand there. */
static const char *who(void)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@";
    const char *name = getenv("USER");
    bool good = name != NULL && name[0] != '\0' && strlen(name) <= 48 && name[strspn(name, allowed)] == '\0';
    return good ? name : NULL;
}

bool cli_decision_reason_fits(const char *verb, const char *reason)
{
    char quoted[2 * REASON_MAX_BYTES + 3];
    bool fits = quote(reason, quoted, sizeof quoted);
    if (!fits) {
        (void)fprintf(stderr, "headrace %s: --reason is one line of 1 to %d bytes of UTF-8\n", verb,
                      REASON_MAX_BYTES);
    }
    return fits;
}

bool cli_decision_ask(const char *verb, const struct cli_admin *admin, const struct cli_decision *decision,
                      struct cli_admin_reply *reply)
{
    char path[PATH_CHARS], body[BODY_MAX_BYTES], reason[2 * REASON_MAX_BYTES + 3], place[64] = "";
    const char *name = who();
    bool quoted = quote(decision->reason, reason, sizeof reason);
    HR_ASSERT(quoted); /* it was looked at before */
    (void)snprintf(path, sizeof path, "/devices/%" PRIu64 "/decision", decision->device_id);
    if (decision->has_place) {
        (void)snprintf(place, sizeof place, ",\"stream\":%" PRIu32 ",\"seq\":%" PRIu32, decision->stream,
                       decision->seq);
    }
    (void)snprintf(body, sizeof body, "{\"decision\":\"%s\",\"reason\":%s,\"dry_run\":%s%s%s%s%s%s%s%s}",
                   decision->decision, reason, decision->dry_run ? "true" : "false",
                   decision->key != NULL ? ",\"key\":\"" : "", decision->key != NULL ? decision->key : "",
                   decision->key != NULL ? "\"" : "", name != NULL ? ",\"operator\":\"" : "",
                   name != NULL ? name : "", name != NULL ? "\"" : "", place);
    return cli_admin_get(verb, admin, path, body, reply);
}
