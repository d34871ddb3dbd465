/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/provision.h"

#include "aggregator/io/ledger.h"
#include "tools/cli/validity.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PATH_CHARS = 256, BODY_CHARS = 4096, WHAT_CHARS = 256, LINE_CHARS = 256 };

static struct cli_admin_reply reply;

/* ---- telling and asking ---- */

void cli_provision_tell(const struct provision *provision, const char *step, const char *what, ...)
{
    char text[WHAT_CHARS];
    va_list arguments;
    va_start(arguments, what);
    (void)vsnprintf(text, sizeof text, what, arguments);
    va_end(arguments);
    if (provision->is_json) {
        (void)printf("{\"step\":\"%s\",\"did\":\"%s\"}\n", step, text);
    } else {
        (void)printf("%-3s %s\n", step, text);
    }
    (void)fflush(stdout);
}

static struct hr_status complain(const struct provision *provision, const char *what)
{
    (void)fprintf(stderr, "headrace %s: %s\n", provision->verb, what);
    return hr_status_of(HR_DENIED);
}

struct hr_status cli_provision_say(struct provision *provision, const char *line, ...)
{
    char text[LINE_CHARS];
    va_list arguments;
    va_start(arguments, line);
    (void)vsnprintf(text, sizeof text, line, arguments);
    va_end(arguments);
    struct hr_status status = cli_device_ask(&provision->line, text);
    if (!hr_is_ok(status)) {
        (void)complain(provision, provision->line.why);
    }
    return status;
}

bool cli_provision_ask(struct provision *provision, const char *path, const char *body)
{
    struct hr_bytes row;
    struct provision_claim *claim = &provision->claim;
    const char *rest = reply.body;
    if (!cli_admin_get(provision->verb, &provision->admin, path, body, &reply) ||
        !cli_row_next(&rest, &row)) {
        (void)fprintf(stderr, "headrace %s: nothing is lost: say it again when that is mended\n",
                      provision->verb);
        return false;
    }
    claim->device_id = cli_row_number(row, "device_id");
    claim->epoch = cli_row_number(row, "epoch");
    claim->first_stream = cli_row_number(row, "first_stream");
    cli_row_text(row, "name", claim->name, sizeof claim->name);
    cli_row_text(row, "site", claim->site, sizeof claim->site);
    cli_row_text(row, "state", claim->state, sizeof claim->state);
    cli_row_text(row, "nonce", claim->nonce, sizeof claim->nonce);
    cli_row_text(row, "key", claim->key, sizeof claim->key);
    cli_row_text(row, "certificate", claim->certificate, sizeof claim->certificate);
    return true;
}

const char *cli_provision_signed(void)
{
    static char end[2 * PROVISION_TEXT_CHARS];
    const char *name = cli_admin_operator();
    (void)snprintf(end, sizeof end, "%s%s%s}", name != NULL ? ",\"operator\":\"" : "",
                   name != NULL ? name : "", name != NULL ? "\"" : "");
    return end;
}

static bool ask_claim(struct provision *provision)
{
    char path[PATH_CHARS];
    (void)snprintf(path, sizeof path, "/claims/%s", provision->device.serial);
    return cli_provision_ask(provision, path, NULL);
}

/* ---- the steps ---- */

static struct hr_status meet_device(struct provision *provision)
{
    char number[PROVISION_TEXT_CHARS];
    char text[WHAT_CHARS];
    struct provision_device *device = &provision->device;
    const struct cli_device_line *line = &provision->line;
    HR_TRY(cli_provision_say(provision, "prov hello"));
    cli_device_field(line, "serial", device->serial, sizeof device->serial);
    cli_device_field(line, "board", device->board, sizeof device->board);
    cli_device_field(line, "state", device->state, sizeof device->state);
    cli_device_field(line, "device", number, sizeof number);
    device->device_id = strtoull(number, NULL, 10);
    cli_device_field(line, "locked", number, sizeof number);
    device->is_locked = strcmp(number, "1") == 0;
    cli_device_field(line, "trust", number, sizeof number);
    device->follows_trust = number[0] != '\0';
    device->trust_version = strtoull(number, NULL, 10);
    if (provision->serial != NULL && strcmp(provision->serial, device->serial) != 0) {
        (void)snprintf(text, sizeof text,
                       "the device at %s is %s, not %s: move the cable to the right one, or name its port",
                       line->where, device->serial, provision->serial);
        return complain(provision, text);
    }
    cli_provision_tell(provision, "P1", "%s, a %s, is in state %s%s", device->serial, device->board,
                       device->state, device->is_locked ? ", locked" : "");
    return hr_ok();
}

static struct hr_status find_claim(struct provision *provision)
{
    const struct provision_device *device = &provision->device;
    const struct provision_claim *claim = &provision->claim;
    char text[WHAT_CHARS];
    if (!ask_claim(provision)) {
        return hr_status_of(HR_NOT_FOUND);
    }
    HR_TRY(cli_validity_beside(provision->verb, reply.utc_s));
    if (device->device_id != 0 && strcmp(device->state, "factory") != 0 &&
        device->device_id != claim->device_id) {
        (void)snprintf(text, sizeof text,
                       "this hardware has the identity of device %" PRIu64 ", and the registry claims it for "
                       "%" PRIu64 ": erase its memory first",
                       device->device_id, claim->device_id);
        return complain(provision, text);
    }
    cli_provision_tell(provision, "P1", "it is claimed as device %" PRIu64 ", %s, which is %s",
                       claim->device_id, claim->name, claim->state);
    return hr_ok();
}

/* Before anything is asked for: certificates by a wrong clock would be of no use. */
static struct hr_status check_clock(struct provision *provision)
{
    char path[PATH_CHARS];
    (void)snprintf(path, sizeof path, "/devices/%" PRIu64, provision->replaces);
    if (!cli_provision_ask(provision, path, NULL)) {
        return hr_status_of(HR_NOT_FOUND);
    }
    return cli_validity_beside(provision->verb, reply.utc_s);
}

static struct hr_status replace_device(struct provision *provision)
{
    char body[BODY_CHARS];
    const struct provision_device *device = &provision->device;
    if (strcmp(device->state, "factory") != 0 && device->device_id != provision->replaces) {
        return complain(provision, "this hardware has another device's identity: erase its memory first");
    }
    const bool is_there = strcmp(device->state, "factory") != 0;
    if (is_there) {
        return hr_ok(); /* it took the place already */
    }
    HR_TRY(check_clock(provision));
    (void)snprintf(body, sizeof body, "{\"serial\":\"%s\",\"device_id\":%" PRIu64 ",\"dry_run\":%s%s",
                   device->serial, provision->replaces, provision->dry_run ? "true" : "false",
                   cli_provision_signed());
    if (!cli_provision_ask(provision, "/replacements", body)) {
        return hr_status_of(HR_DENIED);
    }
    cli_provision_tell(provision, "P1",
                       "takes the place of device %" PRIu64 ": key epoch %" PRIu64 ", from stream %" PRIu64,
                       provision->claim.device_id, provision->claim.epoch, provision->claim.first_stream);
    return hr_ok();
}

static struct hr_status give_record_key(struct provision *provision)
{
    char body[BODY_CHARS];
    char key[2 * LEDGER_SPKI_MAX_BYTES + 1];
    char signature[2 * WIRE_SIGNATURE_BYTES + 1];
    char proof[2 * WIRE_SIGNATURE_BYTES + 1];
    const struct provision_claim *claim = &provision->claim;
    HR_TRY(cli_provision_say(provision, "prov record %" PRIu64 " %s", claim->epoch, claim->nonce));
    cli_device_field(&provision->line, "key", key, sizeof key);
    cli_device_field(&provision->line, "signature", signature, sizeof signature);
    cli_device_field(&provision->line, "proof", proof, sizeof proof);
    (void)snprintf(body, sizeof body,
                   "{\"serial\":\"%s\",\"epoch\":%" PRIu64
                   ",\"key\":\"%s\",\"signature\":\"%s\",\"proof\":\"%s\"%s",
                   provision->device.serial, claim->epoch, key, signature, proof, cli_provision_signed());
    if (!cli_provision_ask(provision, "/record-keys", body)) {
        return hr_status_of(HR_DENIED);
    }
    cli_provision_tell(provision, "P7", "record key of epoch %" PRIu64 " is registered", claim->epoch);
    return hr_ok();
}

static bool is_active(const struct provision *provision)
{
    return strcmp(provision->claim.state, "active") == 0;
}

static bool is_shut_out(const struct provision *provision)
{
    const char *state = provision->claim.state;
    return strcmp(state, "revoked") == 0 || strcmp(state, "quarantined") == 0 ||
           strcmp(state, "retired") == 0;
}

/* Only the registry says that a device delivers. */
static struct hr_status wait_until_active(struct provision *provision)
{
    const struct timespec second = {.tv_sec = 1};
    for (uint64_t i = 0; !is_active(provision); i++) {
        if (i > provision->wait_s) {
            return complain(provision, "the device did not deliver yet: does it reach the aggregators it was "
                                       "given? it goes on by itself; say it again to see it through. What it "
                                       "was given stays: was that wrong, erase its memory and say `headrace "
                                       "device replace`");
        }
        if (is_shut_out(provision)) {
            return complain(provision,
                            "the registry has the device as one that may not deliver, so nothing comes "
                            "of it: `headrace device show` says why, `device release` ends a quarantine, "
                            "and one that is revoked is replaced by other hardware");
        }
        (void)nanosleep(&second, NULL);
        if (!ask_claim(provision)) {
            return hr_status_of(HR_IO);
        }
    }
    cli_provision_tell(provision, "P8", "its first batch is committed: the registry says active");
    return hr_ok();
}

/* The lock is proven by trying. */
static struct hr_status lock(struct provision *provision)
{
    static const char *const attempts[] = {"prov begin", "prov csr", "prov deliver"};
    if (!provision->device.is_locked) {
        struct hr_status status = cli_device_ask(&provision->line, "prov lock");
        if (!hr_is_ok(status) && strncmp(provision->line.answer, "! locked", 8) != 0) {
            return complain(provision, provision->line.why); /* else an answer was lost, and it is */
        }
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(attempts); i++) {
        struct hr_status status = cli_device_ask(&provision->line, attempts[i]);
        if (hr_is(status, HR_IO)) {
            return complain(provision, provision->line.why);
        }
        if (hr_is_ok(status) || strncmp(provision->line.answer, "! locked", 8) != 0) {
            return complain(provision, "the device says that it is locked and is not: do not leave it there");
        }
    }
    cli_provision_tell(provision, "P9", "locked: it refuses to make keys, to sign and to deliver");
    return hr_ok();
}

static struct hr_status tell_what_would_be(const struct provision *provision)
{
    const bool is_factory = strcmp(provision->device.state, "factory") == 0;
    cli_provision_tell(provision, "--", "a dry run: %s%s%s would follow; nothing was changed",
                       is_factory ? "P2 to P6, " : "",
                       strcmp(provision->device.state, "enrolled") != 0 ? "P7, " : "",
                       provision->device.is_locked ? "P8" : "P8, P9");
    return hr_ok();
}

struct hr_status cli_provision(struct provision *provision)
{
    HR_TRY(meet_device(provision));
    HR_TRY(provision->replaces != 0 ? replace_device(provision) : hr_ok());
    if (provision->dry_run && provision->replaces != 0) {
        return tell_what_would_be(provision);
    }
    HR_TRY(find_claim(provision));
    if (provision->dry_run) {
        return tell_what_would_be(provision);
    }
    if (strcmp(provision->device.state, "factory") == 0) {
        HR_TRY(cli_provision_identity(provision));
    } else {
        HR_TRY(cli_provision_look_at_trust(provision));
    }
    if (!provision->device.is_locked) {
        HR_TRY(give_record_key(provision));
        HR_TRY(cli_provision_say(provision, "prov deliver"));
    }
    HR_TRY(wait_until_active(provision));
    return lock(provision);
}
