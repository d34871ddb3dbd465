/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config/registry_entry.h"

#include "aggregator/config/base64.h"

#include <inttypes.h>
#include <string.h>

struct key_entry {
    uint16_t epoch;
    char public_key[CONFIG_SPKI_BASE64_CHARS + 1];
    uint32_t from_stream, from_seq;
    uint32_t to_stream, to_seq;
    bool revoked;
};

struct entry {
    uint64_t device_id;
    char name[LEDGER_NAME_MAX_CHARS + 1];
    char tenant[LEDGER_NAME_MAX_CHARS + 1];
    enum ledger_device_state state;
    uint32_t revision;
    char reason[LEDGER_NAME_MAX_CHARS + 1];
    uint32_t n_keys;
    struct key_entry keys[LEDGER_DEVICE_MAX_KEYS];
};

/* By enum ledger_device_state. */
static const char *const state_names[] = {"enrolled", "active", "quarantined", "revoked", "retired", NULL};

const char *config_registry_state_name(enum ledger_device_state state)
{
    if (state == LEDGER_DEVICE_ROTATING) {
        return "rotating"; /* a matter between the device and the ledger: no entry can say it */
    }
    if (state == LEDGER_DEVICE_CLAIMED) {
        return "claimed"; /* of the ceremony alone: no file says it */
    }
    return (size_t)state < HR_ARRAY_LEN(state_names) - 1 ? state_names[state] : "?";
}

/* What stands before the point in every P-256 SubjectPublicKeyInfo: id-ecPublicKey, prime256v1, a bit string,
 * and the mark of an uncompressed point (RFC 5480 section 2). */
static const uint8_t spki_prefix[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48,
                                      0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48,
                                      0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};

static bool spki_of(const char *base64, uint8_t out[LEDGER_SPKI_MAX_BYTES])
{
    size_t len_bytes = 0;
    return hr_is_ok(config_base64_decode(base64, out, LEDGER_SPKI_MAX_BYTES, &len_bytes)) &&
           len_bytes == LEDGER_SPKI_MAX_BYTES && memcmp(out, spki_prefix, sizeof(spki_prefix)) == 0;
}

static const char *check_public_key(const char *text)
{
    uint8_t spki[LEDGER_SPKI_MAX_BYTES];
    return spki_of(text, spki) ? NULL
                               : "is not the base64 of a P-256 public key in DER (SubjectPublicKeyInfo)";
}

static void check_key(const void *section, struct conf_place *place)
{
    const struct key_entry *key = section;
    if (key->to_stream < key->from_stream ||
        (key->to_stream == key->from_stream && key->to_seq <= key->from_seq)) {
        conf_complain(place, "to_seq", "the key ends before it begins");
    }
}

static void check_entry(const void *section, struct conf_place *place)
{
    const struct entry *entry = section;
    for (uint32_t i = 1; i < entry->n_keys; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (entry->keys[i].epoch == entry->keys[j].epoch) {
                conf_complain(place, "record_keys", "epoch %u has two keys", (unsigned)entry->keys[i].epoch);
            }
        }
    }
}

static const struct conf_field key_fields[] = {
    {.key = "epoch",
     .type = CONF_UINT,
     CONF_AT(struct key_entry, epoch),
     .required = true,
     .help = "Number of the key; the batch header names it."},
    {.key = "public_key",
     .type = CONF_STRING,
     CONF_AT(struct key_entry, public_key),
     .required = true,
     .check_text = check_public_key,
     .help = "Base64 of the DER SubjectPublicKeyInfo, P-256."},
    {.key = "from_stream",
     .type = CONF_UINT,
     CONF_AT(struct key_entry, from_stream),
     .fallback = "0",
     .help = "First stream in which the key signs."},
    {.key = "from_seq",
     .type = CONF_UINT,
     CONF_AT(struct key_entry, from_seq),
     .fallback = "0",
     .help = "First batch of that stream."},
    {.key = "to_stream",
     .type = CONF_UINT,
     CONF_AT(struct key_entry, to_stream),
     .fallback = "4294967295",
     .help = "The key signs no more from this stream and batch on."},
    {.key = "to_seq",
     .type = CONF_UINT,
     CONF_AT(struct key_entry, to_seq),
     .fallback = "4294967295",
     .help = "Batch of to_stream."},
    {.key = "revoked",
     .type = CONF_BOOL,
     CONF_AT(struct key_entry, revoked),
     .fallback = "false",
     .help = "True: nothing signed with it is taken any more."},
};

static const struct conf_table key_table = {CONF_FIELDS(key_fields), .size_bytes = sizeof(struct key_entry),
                                            .check = check_key};

static const struct conf_field entry_fields[] = {
    {.key = "device_id",
     .type = CONF_UINT,
     CONF_AT(struct entry, device_id),
     .required = true,
     .min = 1,
     .help = "Given once, never used again."},
    {.key = "name",
     .type = CONF_STRING,
     CONF_AT(struct entry, name),
     .required = true,
     .min = 1,
     .help = "What people call the device."},
    {.key = "tenant",
     .type = CONF_STRING,
     CONF_AT(struct entry, tenant),
     .fallback = "default",
     .min = 1,
     .help = "Whose data it is; stands in every event."},
    {.key = "state",
     .type = CONF_ENUM,
     CONF_AT(struct entry, state),
     .names = state_names,
     .required = true,
     .help = "What the device may do."},
    {.key = "revision",
     .type = CONF_UINT,
     CONF_AT(struct entry, revision),
     .required = true,
     .min = 1,
     .help = "Rises with every change; a lower or equal one changes nothing."},
    {.key = "reason",
     .type = CONF_STRING,
     CONF_AT(struct entry, reason),
     .fallback = "",
     .help = "Why the state is what it is."},
    {.key = "record_keys",
     .type = CONF_LIST,
     CONF_LIST_AT(struct entry, keys, n_keys),
     .table = &key_table,
     .help = "Keys under which its batches are signed."},
};

static const struct conf_table entry_table = {CONF_FIELDS(entry_fields), .size_bytes = sizeof(struct entry),
                                              .check = check_entry};

const struct conf_table *config_registry_table(void)
{
    return &entry_table;
}

static void device_of(const struct entry *entry, struct ledger_device *out)
{
    *out = (struct ledger_device){.device_id = entry->device_id,
                                  .state = entry->state,
                                  .revision = entry->revision,
                                  .n_keys = (uint16_t)entry->n_keys};
    memcpy(out->name, entry->name, sizeof(out->name));
    memcpy(out->tenant, entry->tenant, sizeof(out->tenant));
    memcpy(out->reason, entry->reason, sizeof(out->reason));
    for (uint32_t i = 0; i < entry->n_keys; i++) {
        const struct key_entry *from = &entry->keys[i];
        struct ledger_key *key = &out->keys[i];
        *key = (struct ledger_key){.epoch = from->epoch,
                                   .spki_len_bytes = LEDGER_SPKI_MAX_BYTES,
                                   .from_stream = from->from_stream,
                                   .from_seq = from->from_seq,
                                   .to_stream = from->to_stream,
                                   .to_seq = from->to_seq,
                                   .revoked = from->revoked};
        bool decoded = spki_of(from->public_key, key->spki);
        HR_ASSERT(decoded); /* check_public_key has seen it */
    }
}

static bool is_named_after(const char *path, uint64_t device_id)
{
    char expected[32];
    (void)snprintf(expected, sizeof(expected), "%" PRIu64 ".yaml", device_id);
    const char *slash = strrchr(path, '/');
    return strcmp(slash != NULL ? slash + 1 : path, expected) == 0;
}

struct hr_status config_registry_load(const char *path, struct ledger_device *out, struct conf_report *report)
{
    struct entry entry;
    HR_TRY(conf_load(path, &entry_table, &entry, report));
    if (!is_named_after(path, entry.device_id)) {
        struct conf_error *error = &report->errors[0];
        report->n_errors = 1;
        *error = (struct conf_error){.line = 0, .key = "device_id"};
        (void)snprintf(error->message, sizeof(error->message),
                       "the file of this device is to be named %" PRIu64 ".yaml", entry.device_id);
        return hr_status_of(HR_MALFORMED);
    }
    device_of(&entry, out);
    return hr_ok();
}

/* A double-quoted YAML scalar; the texts hold no control characters. */
static void print_quoted(const char *key, const char *text, FILE *out)
{
    (void)fprintf(out, "%s: \"", key);
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            (void)fputc('\\', out);
        }
        (void)fputc(*at, out);
    }
    (void)fputs("\"\n", out);
}

void config_registry_print(const struct ledger_device *device, FILE *out)
{
    (void)fprintf(out, "device_id: %" PRIu64 "\n", device->device_id);
    print_quoted("name", device->name, out);
    print_quoted("tenant", device->tenant, out);
    (void)fprintf(out, "state: %s\nrevision: %" PRIu32 "\n", config_registry_state_name(device->state),
                  device->revision);
    print_quoted("reason", device->reason, out);
    (void)fputs(device->n_keys > 0 ? "record_keys:\n" : "record_keys: []\n", out);
    for (uint16_t i = 0; i < device->n_keys; i++) {
        const struct ledger_key *key = &device->keys[i];
        char public_key[CONFIG_SPKI_BASE64_CHARS + 1];
        config_base64_encode(hr_bytes_of(key->spki, key->spki_len_bytes), public_key, sizeof(public_key));
        (void)fprintf(out, "  - epoch: %u\n    public_key: \"%s\"\n", (unsigned)key->epoch, public_key);
        if (key->from_stream != 0 || key->from_seq != 0) {
            (void)fprintf(out, "    from_stream: %" PRIu32 "\n    from_seq: %" PRIu32 "\n", key->from_stream,
                          key->from_seq);
        }
        if (key->to_stream != UINT32_MAX || key->to_seq != UINT32_MAX) {
            (void)fprintf(out, "    to_stream: %" PRIu32 "\n    to_seq: %" PRIu32 "\n", key->to_stream,
                          key->to_seq);
        }
        if (key->revoked) {
            (void)fputs("    revoked: true\n", out);
        }
    }
}
