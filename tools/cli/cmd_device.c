/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/authority.h"
#include "tools/cli/cli.h"
#include "tools/cli/options.h"

#include "aggregator/config/registry_entry.h"
#include "proto/base/assert.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEVICE_DAYS = 10 * 365, ENTRY_MAX_BYTES = 8192, SNIPPET_MAX_BYTES = 8192 };

/* A device id fits a YAML integer and a person's patience. */
static const uint64_t device_id_max = INT64_MAX;

struct enrolment {
    const char *authority;
    const char *registry;
    const char *out;
    const char *name;
    const char *tenant;
    const char *aggregator;
    const char *server_name;
    uint64_t device_id;
    bool force;
};

/* Files of one device, all in its own directory but the registry entry. */
struct device_files {
    struct cli_path key, certificate, record_key, record_public, trusted, snippet, entry;
};

static struct hr_status files_of(const struct enrolment *enrolment, struct device_files *out)
{
    HR_TRY(cli_path_of(&out->key, enrolment->out, "device.key"));
    HR_TRY(cli_path_of(&out->certificate, enrolment->out, "device.crt"));
    HR_TRY(cli_path_of(&out->record_key, enrolment->out, "record.key"));
    HR_TRY(cli_path_of(&out->record_public, enrolment->out, "record.pub.pem"));
    HR_TRY(cli_path_of(&out->trusted, enrolment->out, "server-ca.crt"));
    HR_TRY(cli_path_of(&out->snippet, enrolment->out, "collector.yaml"));
    return cli_path_of(&out->entry, enrolment->registry, "%" PRIu64 ".yaml", enrolment->device_id);
}

/* Ids count up from the greatest that the registry has, so that none is given twice while entries are kept.
 */
static struct hr_status next_device_id(const char *registry, uint64_t *out)
{
    DIR *directory = opendir(registry);
    if (directory == NULL) {
        perror(registry);
        return hr_status_of(HR_IO);
    }
    uint64_t greatest = 0;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        char *end = NULL;
        unsigned long long id = strtoull(entry->d_name, &end, 10);
        if (end != entry->d_name && strcmp(end, ".yaml") == 0 && id > greatest && id < device_id_max) {
            greatest = id;
        }
    }
    (void)closedir(directory);
    *out = greatest + 1;
    return hr_ok();
}

static struct hr_status write_entry(const struct cli_path *path, const struct ledger_device *device,
                                    bool replace)
{
    char text[ENTRY_MAX_BYTES];
    FILE *memory = fmemopen(text, sizeof(text), "w");
    if (memory == NULL) {
        perror("headrace");
        return hr_status_of(HR_IO);
    }
    config_registry_print(device, memory);
    long len = fflush(memory) == 0 ? ftell(memory) : -1;
    (void)fclose(memory);
    HR_ASSERT(len > 0 && len < ENTRY_MAX_BYTES); /* eight keys and three names are far below */
    return cli_file_write(path->text, hr_bytes_of(text, (size_t)len), false, replace);
}

/* HR_NOT_FOUND is silent; other failures are told. */
static struct hr_status read_entry(const struct cli_path *path, struct ledger_device *out)
{
    struct conf_report report;
    struct hr_status status = config_registry_load(path->text, out, &report);
    if (!hr_is_ok(status) && !hr_is(status, HR_NOT_FOUND)) {
        conf_report_print(&report, stderr);
    }
    return status;
}

/* The entry with the new key: a fresh one, or, when the device is enrolled again, the old one with the key
 * under the next epoch; the older keys stay, because batches signed with them may still be on their way. */
static struct hr_status entry_for(const struct enrolment *enrolment, const struct device_files *files,
                                  const uint8_t spki[CLI_SPKI_BYTES], struct ledger_device *out)
{
    struct hr_status status = read_entry(&files->entry, out);
    if (hr_is(status, HR_NOT_FOUND)) {
        *out = (struct ledger_device){.device_id = enrolment->device_id};
    } else {
        HR_TRY(status);
    }
    if (out->n_keys == LEDGER_DEVICE_MAX_KEYS) {
        (void)fprintf(stderr, "headrace: %s has %d keys already\n", files->entry.text,
                      LEDGER_DEVICE_MAX_KEYS);
        return hr_status_of(HR_FULL);
    }
    uint16_t epoch = 1;
    for (uint16_t i = 0; i < out->n_keys; i++) {
        epoch = out->keys[i].epoch >= epoch ? (uint16_t)(out->keys[i].epoch + 1) : epoch;
    }
    (void)snprintf(out->name, sizeof(out->name), "%s", enrolment->name);
    (void)snprintf(out->tenant, sizeof(out->tenant), "%s", enrolment->tenant);
    (void)snprintf(out->reason, sizeof(out->reason), "%s", out->n_keys == 0 ? "enrolled" : "enrolled again");
    out->state = LEDGER_DEVICE_ACTIVE;
    out->revision++;
    struct ledger_key *key = &out->keys[out->n_keys++];
    *key = (struct ledger_key){
        .epoch = epoch, .spki_len_bytes = CLI_SPKI_BYTES, .to_stream = UINT32_MAX, .to_seq = UINT32_MAX};
    memcpy(key->spki, spki, CLI_SPKI_BYTES);
    return hr_ok();
}

static struct hr_status write_text(const struct cli_path *path, const struct cli_pem *pem, bool secret,
                                   bool force)
{
    HR_TRY(cli_file_write(path->text, hr_bytes_of(pem->text, pem->len_bytes), secret, force));
    (void)printf("wrote %s\n", path->text);
    return hr_ok();
}

static struct hr_status write_transport(const struct enrolment *enrolment, const struct device_files *files)
{
    char common_name[40];
    (void)snprintf(common_name, sizeof(common_name), "headrace-device-%016" PRIx64, enrolment->device_id);
    const struct cli_certificate wanted = {
        .role = CLI_ROLE_DEVICE, .common_name = common_name, .days = DEVICE_DAYS};
    struct cli_certified made;
    HR_TRY(cli_authority_certify(enrolment->authority, CLI_ISSUER_DEVICES, &wanted, &made));
    struct hr_status status = write_text(&files->key, &made.key, true, enrolment->force);
    cli_pem_wipe(&made.key);
    HR_TRY(status);
    HR_TRY(write_text(&files->certificate, &made.certificate, false, enrolment->force));

    struct cli_path trusted;
    struct cli_pem pem;
    X509 *certificate = NULL;
    HR_TRY(cli_path_of(&trusted, enrolment->authority, CLI_ISSUER_SERVERS ".crt"));
    HR_TRY(cli_certificate_read(trusted.text, &certificate));
    status = cli_certificate_pem(certificate, &pem);
    X509_free(certificate);
    HR_TRY(status);
    return write_text(&files->trusted, &pem, false, enrolment->force);
}

static struct hr_status write_record_key(const struct enrolment *enrolment, const struct device_files *files,
                                         uint8_t spki[CLI_SPKI_BYTES])
{
    EVP_PKEY *key = NULL;
    struct cli_pem pem;
    HR_TRY(cli_key_new(&key));
    struct hr_status status = cli_key_pem(key, &pem);
    if (hr_is_ok(status)) {
        status = write_text(&files->record_key, &pem, true, enrolment->force);
    }
    cli_pem_wipe(&pem);
    if (hr_is_ok(status)) {
        status = cli_key_public_pem(key, &pem);
    }
    if (hr_is_ok(status)) {
        status = write_text(&files->record_public, &pem, false, enrolment->force);
    }
    if (hr_is_ok(status)) {
        status = cli_key_spki(key, spki);
    }
    EVP_PKEY_free(key);
    return status;
}

static struct hr_status write_snippet(const struct enrolment *enrolment, const struct device_files *files,
                                      uint16_t epoch)
{
    char text[SNIPPET_MAX_BYTES];
    char directory[CLI_PATH_MAX_CHARS];
    if (realpath(enrolment->out, directory) == NULL) {
        perror(enrolment->out);
        return hr_status_of(HR_IO);
    }
    int len = snprintf(text, sizeof(text),
                       "# The identity part of a collector's configuration; spool and taps go below.\n"
                       "device_id: %" PRIu64 "\n"
                       "name: %s\n"
                       "identity:\n"
                       "  certificate: \"%s/device.crt\"\n"
                       "  key: \"%s/device.key\"\n"
                       "  record_key: \"%s/record.key\"\n"
                       "  key_epoch: %u\n"
                       "  ca: \"%s/server-ca.crt\"\n"
                       "aggregators:\n"
                       "  - \"%s\"\n"
                       "server_name: %s\n",
                       enrolment->device_id, enrolment->name, directory, directory, directory,
                       (unsigned)epoch, directory, enrolment->aggregator, enrolment->server_name);
    if (len < 0 || (size_t)len >= sizeof(text)) {
        (void)fputs("headrace: the paths are too long for a configuration\n", stderr);
        return hr_status_of(HR_FULL);
    }
    HR_TRY(cli_file_write(files->snippet.text, hr_bytes_of(text, (size_t)len), false, enrolment->force));
    (void)printf("wrote %s\n", files->snippet.text);
    return hr_ok();
}

/* The registry entry comes last: a device that an aggregator lets in has all its files. */
static struct hr_status enrol(const struct enrolment *enrolment)
{
    struct device_files files;
    HR_TRY(cli_directory_make(enrolment->registry));
    HR_TRY(files_of(enrolment, &files));
    if (!enrolment->force) {
        const struct cli_path all[] = {files.key,           files.certificate, files.record_key,
                                       files.record_public, files.trusted,     files.snippet,
                                       files.entry};
        HR_TRY(cli_files_absent(all, HR_ARRAY_LEN(all)));
    }
    HR_TRY(cli_directory_make(enrolment->out));
    HR_TRY(write_transport(enrolment, &files));
    uint8_t spki[CLI_SPKI_BYTES];
    HR_TRY(write_record_key(enrolment, &files, spki));
    struct ledger_device device;
    HR_TRY(entry_for(enrolment, &files, spki, &device));
    HR_TRY(write_snippet(enrolment, &files, device.keys[device.n_keys - 1].epoch));
    HR_TRY(write_entry(&files.entry, &device, enrolment->force));
    (void)printf("wrote %s\ndevice %" PRIu64 " (%s) is enrolled, key epoch %u\n", files.entry.text,
                 device.device_id, device.name, (unsigned)device.keys[device.n_keys - 1].epoch);
    return hr_ok();
}

static bool names_are_good(const char *name, const char *tenant, const char *server_name)
{
    const char *const names[] = {name, tenant, server_name};
    bool good = true;
    for (size_t i = 0; i < HR_ARRAY_LEN(names); i++) {
        if (!cli_is_name(names[i])) {
            (void)fprintf(stderr,
                          "headrace device enrol: '%s': letters, digits, '.', '-' and '_', at most 63\n",
                          names[i]);
            good = false;
        }
    }
    return good;
}

static int cli_device_enrol(int argc, char **argv)
{
    enum { CA, REGISTRY, OUT, NAME, TENANT, ID, AGGREGATOR, SERVER_NAME, FORCE };
    static const struct cli_option options[] = {
        {"--ca", "DIR", true, 1, "The authority's directory, from `headrace ca init`."},
        {"--registry", "DIR", true, 1, "The aggregator's registry directory."},
        {"--out", "DIR", true, 1, "Where the device's keys and certificate go."},
        {"--name", "NAME", true, 1, "What people call the device."},
        {"--tenant", "NAME", false, 1, "Whose data it is; default default."},
        {"--device-id", "N|auto", false, 1, "Its number; default auto, one above the registry's greatest."},
        {"--aggregator", "URI", false, 1, "For the snippet; default coaps://SERVER_NAME:5684."},
        {"--server-name", "NAME", false, 1, "For the snippet; default aggregator."},
        {"--force", NULL, false, 1, "Replace files; a device in the registry gets a further key epoch."},
    };
    static const struct cli_usage usage = {
        "device enrol", NULL, options, HR_ARRAY_LEN(options),
        "Makes a gateway's transport key and certificate, its record key, its registry entry, and the "
        "identity\n"
        "part of its configuration. Works offline. Private keys have mode 0600."};
    struct cli_arguments given;
    enum cli_parsed parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed == CLI_HELPED ? CLI_OK : CLI_USAGE;
    }
    struct enrolment enrolment = {.authority = given.values[CA][0],
                                  .registry = given.values[REGISTRY][0],
                                  .out = given.values[OUT][0],
                                  .name = given.values[NAME][0],
                                  .tenant = cli_option_or(&given, TENANT, "default"),
                                  .server_name = cli_option_or(&given, SERVER_NAME, "aggregator"),
                                  .force = given.n_values[FORCE] > 0};
    char aggregator[128];
    (void)snprintf(aggregator, sizeof(aggregator), "coaps://%.63s:5684", enrolment.server_name);
    enrolment.aggregator = cli_option_or(&given, AGGREGATOR, aggregator);
    if (!names_are_good(enrolment.name, enrolment.tenant, enrolment.server_name)) {
        return CLI_USAGE;
    }
    const char *id = cli_option_or(&given, ID, "auto");
    if (strcmp(id, "auto") == 0) {
        if (!hr_is_ok(cli_directory_make(enrolment.registry)) ||
            !hr_is_ok(next_device_id(enrolment.registry, &enrolment.device_id))) {
            return CLI_FAILED;
        }
    } else if (!cli_number(id, device_id_max, &enrolment.device_id) || enrolment.device_id == 0) {
        (void)fprintf(stderr, "headrace device enrol: --device-id '%s' is no number from 1 on\n", id);
        return CLI_USAGE;
    }
    return hr_is_ok(enrol(&enrolment)) ? CLI_OK : CLI_FAILED;
}

static struct hr_status decide(const char *registry, uint64_t device_id, enum ledger_device_state state,
                               const char *reason)
{
    struct cli_path path;
    struct ledger_device device;
    HR_TRY(cli_path_of(&path, registry, "%" PRIu64 ".yaml", device_id));
    struct hr_status status = read_entry(&path, &device);
    if (hr_is(status, HR_NOT_FOUND)) {
        (void)fprintf(stderr, "headrace: %s is not there\n", path.text);
    }
    HR_TRY(status);
    device.state = state;
    device.revision++;
    (void)snprintf(device.reason, sizeof(device.reason), "%s", reason);
    HR_TRY(write_entry(&path, &device, true));
    (void)printf("wrote %s: revision %" PRIu32 "\n", path.text, device.revision);
    return hr_ok();
}

static int cli_device_decide(int argc, char **argv, const char *verb, enum ledger_device_state state)
{
    enum { REGISTRY, REASON };
    static const struct cli_option options[] = {
        {"--registry", "DIR", true, 1, "The aggregator's registry directory."},
        {"--reason", "TEXT", true, 1, "Why; stands in the entry and in the ledger. At most 63 characters."},
    };
    char full_verb[32];
    (void)snprintf(full_verb, sizeof(full_verb), "device %s", verb);
    const struct cli_usage usage = {full_verb, "DEVICE_ID", options, HR_ARRAY_LEN(options),
                                    "Rewrites the device's registry entry with the next revision. A running "
                                    "aggregator follows within a second."};
    struct cli_arguments given;
    enum cli_parsed parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed == CLI_HELPED ? CLI_OK : CLI_USAGE;
    }
    uint64_t device_id = 0;
    if (!cli_number(given.positional, device_id_max, &device_id)) {
        (void)fprintf(stderr, "headrace %s: '%s' is no device id\n", full_verb, given.positional);
        return CLI_USAGE;
    }
    const char *reason = given.values[REASON][0];
    size_t len = strlen(reason);
    if (len == 0 || len > LEDGER_NAME_MAX_CHARS || strpbrk(reason, "\r\n\t") != NULL) {
        (void)fprintf(stderr, "headrace %s: --reason is one line of 1 to %d characters\n", full_verb,
                      LEDGER_NAME_MAX_CHARS);
        return CLI_USAGE;
    }
    return hr_is_ok(decide(given.values[REGISTRY][0], device_id, state, reason)) ? CLI_OK : CLI_FAILED;
}

int cli_device(int argc, char **argv)
{
    static const struct {
        const char *verb;
        enum ledger_device_state state;
    } decisions[] = {
        {"activate", LEDGER_DEVICE_ACTIVE},
        {"quarantine", LEDGER_DEVICE_QUARANTINED},
        {"revoke", LEDGER_DEVICE_REVOKED},
        {"retire", LEDGER_DEVICE_RETIRED},
    };
    const char *verb = argc >= 2 ? argv[1] : "";
    if (strcmp(verb, "enrol") == 0) {
        return cli_device_enrol(argc - 1, argv + 1);
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(decisions); i++) {
        if (strcmp(verb, decisions[i].verb) == 0) {
            return cli_device_decide(argc - 1, argv + 1, verb, decisions[i].state);
        }
    }
    (void)fputs(
        "usage: headrace device enrol --ca DIR --registry DIR --out DIR --name NAME [...]\n"
        "       headrace device activate|quarantine|revoke|retire DEVICE_ID --registry DIR --reason TEXT\n",
        stderr);
    return CLI_USAGE;
}
