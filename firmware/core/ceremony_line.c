/* SPDX-License-Identifier: Apache-2.0
 *
 * The words of a ceremony's line, and the fields that come by parts. */
#include "firmware/core/ceremony_internal.h"
#include "proto/base/assert.h"
#include "proto/base/decimal.h"

#include <string.h>

/* ---- saying ---- */

void fw_say(struct fw_ceremony *ceremony, const char *text)
{
    ceremony->ports->say(ceremony->ctx, text);
}

static void say_key(struct fw_ceremony *ceremony, const char *key)
{
    fw_say(ceremony, " ");
    fw_say(ceremony, key);
    fw_say(ceremony, "=");
}

void fw_say_number(struct fw_ceremony *ceremony, const char *key, uint64_t number)
{
    char digits[HR_DECIMAL_CHARS];
    say_key(ceremony, key);
    fw_say(ceremony, hr_decimal(number, digits));
}

void fw_say_hex(struct fw_ceremony *ceremony, const char *key, const uint8_t *bytes, size_t len_bytes)
{
    static const char digits[] = "0123456789abcdef";
    say_key(ceremony, key);
    for (size_t i = 0; i < len_bytes; i++) {
        const char pair[] = {digits[bytes[i] >> 4], digits[bytes[i] & 15u], '\0'};
        fw_say(ceremony, pair);
    }
}

bool fw_refuse(struct fw_ceremony *ceremony, const char *word, const char *sentence)
{
    fw_say(ceremony, "! ");
    fw_say(ceremony, word);
    fw_say(ceremony, " ");
    fw_say(ceremony, sentence);
    fw_say(ceremony, "\n");
    return false;
}

bool fw_done(struct fw_ceremony *ceremony, const char *verb)
{
    fw_say(ceremony, "= ");
    fw_say(ceremony, verb);
    fw_say(ceremony, "\n");
    return true;
}

bool fw_replace(struct fw_ceremony *ceremony, const struct image_identity *next)
{
    struct hr_status status = fw_identity_store_replace(ceremony->store, next);
    if (hr_is(status, HR_FULL)) {
        return fw_refuse(ceremony, "full",
                         "it does not fit the identity's page: shorter names, fewer addresses");
    }
    if (hr_is(status, HR_MALFORMED)) {
        return fw_refuse(ceremony, "field", "a field is out of range");
    }
    return hr_is_ok(status) || fw_refuse(ceremony, "memory", "the memory failed: begin again");
}

/* ---- words ---- */

static int digit_of(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

size_t fw_hex(const char *digits, uint8_t *out, size_t capacity_bytes)
{
    size_t n = 0;
    for (; digits[2 * n] != '\0'; n++) {
        const int high = digit_of(digits[2 * n]);
        const int low = high < 0 ? -1 : digit_of(digits[2 * n + 1]);
        if (low < 0 || n == capacity_bytes) {
            return 0;
        }
        out[n] = (uint8_t)(high << 4 | low);
    }
    return n;
}

bool fw_number(const char *digits, uint64_t most, uint64_t *out)
{
    uint64_t number = 0;
    for (size_t i = 0; digits[i] != '\0'; i++) {
        if (digits[i] < '0' || digits[i] > '9' || number > most / 10) {
            return false;
        }
        number = number * 10 + (uint64_t)(digits[i] - '0');
    }
    *out = number;
    return digits[0] != '\0' && number <= most;
}

/* ---- fields by parts ---- */

bool fw_step_part(struct fw_ceremony *ceremony, char *words[])
{
    uint64_t at = 0;
    if (!fw_number(words[1], ceremony->staged_bytes, &at)) {
        return fw_refuse(ceremony, "order", "that does not follow what is there: begin the field again at 0");
    }
    const size_t room_bytes = FW_CEREMONY_STAGE_BYTES - (size_t)at;
    const size_t n_bytes = fw_hex(words[2], ceremony->stage + at, room_bytes);
    ceremony->staged_bytes = (uint16_t)(at + n_bytes);
    if (n_bytes == 0) {
        return fw_refuse(ceremony, "word", "no hexadecimal digits, or too many for a field");
    }
    fw_say(ceremony, "= part");
    fw_say_number(ceremony, "bytes", ceremony->staged_bytes);
    fw_say(ceremony, "\n");
    return true;
}

static uint64_t number_of(struct hr_bytes bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes.len_bytes; i++) {
        number = number << 8 | bytes.data[i];
    }
    return number;
}

/* Text is kept with its NUL; there is room for it, because a field is shorter than the stage. */
static const char *text_of(struct fw_ceremony *ceremony)
{
    HR_ASSERT(ceremony->staged_bytes < FW_CEREMONY_STAGE_BYTES);
    ceremony->stage[ceremony->staged_bytes] = '\0';
    return (const char *)ceremony->stage;
}

/* A field of a list goes behind those before it, and takes the place of what stood there and behind. */
static bool keep_of_list(struct fw_ceremony *ceremony, struct image_identity *next, bool is_ca, uint64_t i)
{
    const struct hr_bytes staged = hr_bytes_of(ceremony->stage, ceremony->staged_bytes);
    if (is_ca && i < IMAGE_MAX_CA && i <= next->n_ca) {
        next->ca[i] = staged;
        next->n_ca = (uint8_t)(i + 1);
        return true;
    }
    if (!is_ca && i < IMAGE_MAX_AGGREGATORS && i <= next->n_aggregators) {
        const struct fw_ceremony_ports *ports = ceremony->ports;
        next->aggregators[i] = text_of(ceremony);
        next->n_aggregators = (uint8_t)(i + 1);
        return ports->is_address(ceremony->ctx, next->aggregators[i]);
    }
    return false;
}

static bool keep(struct fw_ceremony *ceremony, struct image_identity *next, const char *field, uint64_t i)
{
    const struct hr_bytes staged = hr_bytes_of(ceremony->stage, ceremony->staged_bytes);
    const bool is_text = staged.len_bytes <= IMAGE_URI_MAX_CHARS;
    const bool is_number = staged.len_bytes <= sizeof(uint64_t);
    if (strcmp(field, "certificate") == 0) {
        next->certificate = staged;
        return true;
    }
    if (strcmp(field, "ca") == 0) {
        return keep_of_list(ceremony, next, true, i);
    }
    if (strcmp(field, "aggregator") == 0) {
        return is_text && keep_of_list(ceremony, next, false, i);
    }
    if (is_number && strcmp(field, "device") == 0) {
        next->device_id = number_of(staged);
        return true;
    }
    if (is_number && strcmp(field, "stream") == 0) {
        next->first_stream = (uint32_t)number_of(staged);
        return true;
    }
    const char **texts[] = {&next->name, &next->site, &next->server_name};
    static const char *const names[] = {"name", "site", "server"};
    for (size_t k = 0; k < HR_ARRAY_LEN(names) && is_text; k++) {
        if (strcmp(field, names[k]) == 0) {
            *texts[k] = text_of(ceremony);
            return true;
        }
    }
    return false;
}

/* Goes to pages of its own; the identity names it when it is whole. */
static bool keep_trust(struct fw_ceremony *ceremony, struct image_identity *next, uint64_t i)
{
    const struct fw_ceremony_ports *ports = ceremony->ports;
    if (!ports->follows_trust(ceremony->ctx)) {
        return fw_refuse(ceremony, "field", "this device has no room for trust bundles");
    }
    struct hr_status status = ports->keep_trust(ceremony->ctx, (uint32_t)i,
                                                hr_bytes_of(ceremony->stage, ceremony->staged_bytes), next);
    if (hr_is(status, HR_MALFORMED)) {
        return fw_refuse(ceremony, "trust", "it is no trust bundle that its own signers have signed");
    }
    if (!hr_is_ok(status) && !hr_is(status, HR_AGAIN)) {
        return fw_refuse(ceremony, "memory", "the trust bundle could not be kept or checked");
    }
    return (!hr_is_ok(status) || fw_replace(ceremony, next)) && fw_done(ceremony, "keep");
}

bool fw_step_keep(struct fw_ceremony *ceremony, char *words[])
{
    struct image_identity next = ceremony->store->image;
    uint64_t i = 0;
    if (ceremony->staged_bytes == 0) {
        return fw_refuse(ceremony, "order", "there is nothing to keep: send it with part");
    }
    const bool has_number = words[2][0] != '\0';
    if (strcmp(words[1], "trust") == 0 && has_number && fw_number(words[2], UINT8_MAX, &i)) {
        return keep_trust(ceremony, &next, i);
    }
    if ((has_number && !fw_number(words[2], IMAGE_MAX_AGGREGATORS, &i)) ||
        !keep(ceremony, &next, words[1], i)) {
        return fw_refuse(ceremony, "field", "no such field, or not what it takes");
    }
    return fw_replace(ceremony, &next) && fw_done(ceremony, "keep");
}

/* ---- lines ---- */

static const struct verb {
    const char *name;
    bool is_factory; /* only before an identity is installed */
    bool (*step)(struct fw_ceremony *ceremony, char *words[]);
} verbs[] = {
    {"hello", false, fw_step_hello},     {"begin", true, fw_step_begin},
    {"csr", false, fw_step_csr},         {"proof", false, fw_step_proof},
    {"part", true, fw_step_part},        {"keep", true, fw_step_keep},
    {"install", false, fw_step_install}, {"record", false, fw_step_record},
    {"deliver", false, fw_step_deliver}, {"lock", false, fw_step_lock},
};

static void run(struct fw_ceremony *ceremony, const struct verb *verb, char *words[])
{
    const struct image_identity *image = &ceremony->store->image;
    if (!ceremony->store->is_known) {
        (void)fw_refuse(ceremony, "memory", "the identity can't be read now");
    } else if (image->console_locked && verb->step != fw_step_hello) {
        (void)fw_refuse(ceremony, "locked", "a provisioned device tells who it is and changes nothing");
    } else if (verb->is_factory && image->state != IMAGE_FACTORY) {
        (void)fw_refuse(ceremony, "state", "it has an identity: its keys stay");
    } else {
        (void)verb->step(ceremony, words);
    }
}

/* Cuts the next word off; an empty one where there is none. */
static char *next_word(char **rest)
{
    char *word = *rest + strspn(*rest, " ");
    char *end = word + strcspn(word, " ");
    *rest = end;
    if (*end != '\0') {
        *end = '\0';
        *rest = end + 1;
    }
    return word;
}

bool fw_ceremony_line(struct fw_ceremony *ceremony, char *line)
{
    char *words[FW_CEREMONY_MAX_WORDS];
    if (strncmp(line, "prov ", 5) != 0) {
        return false;
    }
    char *rest = line + 5;
    for (size_t i = 0; i < HR_ARRAY_LEN(words); i++) {
        words[i] = next_word(&rest);
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(verbs); i++) {
        if (strcmp(verbs[i].name, words[0]) == 0) {
            run(ceremony, &verbs[i], words);
            return true;
        }
    }
    (void)fw_refuse(ceremony, "word", "no such step");
    return true;
}
