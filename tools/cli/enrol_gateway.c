/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "tools/cli/enrol.h"
#include "tools/cli/trust_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SNIPPET_MAX_BYTES = 8192 };

/* Files of one device, all in its own directory but the registry entry. */
struct gateway_files {
    struct cli_path key, certificate, record_key, record_public, trusted, snippet, entry;
    struct cli_path bundles, trust; /* the authority's file, and the device's folder of the newest of them */
};

static struct hr_status files_of(const struct cli_enrolment *enrolment, struct gateway_files *out)
{
    HR_TRY(cli_path_of(&out->key, enrolment->out, "device.key"));
    HR_TRY(cli_path_of(&out->certificate, enrolment->out, "device.crt"));
    HR_TRY(cli_path_of(&out->record_key, enrolment->out, "record.key"));
    HR_TRY(cli_path_of(&out->record_public, enrolment->out, "record.pub.pem"));
    HR_TRY(cli_path_of(&out->trusted, enrolment->out, "server-ca.crt"));
    HR_TRY(cli_path_of(&out->bundles, enrolment->authority, "trust.bundle"));
    HR_TRY(cli_path_of(&out->trust, enrolment->out, "trust"));
    HR_TRY(cli_path_of(&out->snippet, enrolment->out, "collector.yaml"));
    return cli_entry_path(enrolment->registry, enrolment->device_id, &out->entry);
}

static struct hr_status write_text(const struct cli_path *path, const struct cli_pem *pem, bool secret,
                                   bool force)
{
    return cli_enrol_write(path, hr_bytes_of(pem->text, pem->len_bytes), secret, force);
}

static struct hr_status write_transport(const struct cli_enrolment *enrolment,
                                        const struct gateway_files *files)
{
    struct cli_certified made;
    HR_TRY(cli_enrol_transport(enrolment, &made));
    struct hr_status status = write_text(&files->key, &made.key, true, enrolment->force);
    cli_pem_wipe(&made.key);
    HR_TRY(status);
    HR_TRY(write_text(&files->certificate, &made.certificate, false, enrolment->force));

    struct cli_pem pem;
    X509 *trusted = NULL;
    HR_TRY(cli_enrol_trusted(enrolment, &trusted));
    status = cli_certificate_pem(trusted, &pem);
    X509_free(trusted);
    HR_TRY(status);
    return write_text(&files->trusted, &pem, false, enrolment->force);
}

static struct hr_status write_record_key(const struct cli_enrolment *enrolment,
                                         const struct gateway_files *files, uint8_t spki[CLI_SPKI_BYTES])
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

/* The newest bundle that is signed: what the device begins with. *has: there is one. */
static struct hr_status write_trust(const struct gateway_files *files, bool force, bool *has)
{
    static struct cli_trust_file file;
    HR_TRY(cli_trust_read(files->bundles.text, &file));
    const struct trust_bundle *newest = cli_trust_newest(&file);
    *has = newest != NULL;
    if (newest == NULL) {
        return hr_ok(); /* an authority without bundles: the device believes server-ca.crt */
    }
    struct cli_path first;
    struct cli_path second;
    HR_TRY(cli_directory_make(files->trust.text));
    HR_TRY(cli_path_of(&first, files->trust.text, "bundle.0"));
    HR_TRY(cli_path_of(&second, files->trust.text, "bundle.1"));
    (void)unlink(second.text); /* of an earlier enrolment; it may be a later version than this authority's */
    return cli_enrol_write(&first, trust_whole(newest), false, force);
}

static struct hr_status write_snippet(const struct cli_enrolment *enrolment,
                                      const struct gateway_files *files, uint16_t epoch, bool has_trust)
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
                       "%s%s%s"
                       "server_name: %s\n"
                       "aggregators:\n",
                       enrolment->device_id, enrolment->name, directory, directory, directory,
                       (unsigned)epoch, directory, has_trust ? "trust: \"" : "", has_trust ? directory : "",
                       has_trust ? "/trust\"\n" : "", enrolment->server_name);
    for (size_t i = 0; i < enrolment->n_aggregators && len >= 0 && (size_t)len < sizeof(text); i++) {
        int more =
            snprintf(text + len, sizeof(text) - (size_t)len, "  - \"%s\"\n", enrolment->aggregators[i]);
        len = more < 0 ? more : len + more;
    }
    if (len < 0 || (size_t)len >= sizeof(text)) {
        (void)fputs("headrace: the paths are too long for a configuration\n", stderr);
        return hr_status_of(HR_FULL);
    }
    return cli_enrol_write(&files->snippet, hr_bytes_of(text, (size_t)len), false, enrolment->force);
}

struct hr_status cli_enrol_gateway(const struct cli_enrolment *enrolment)
{
    struct gateway_files files;
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
    HR_TRY(cli_entry_with_key(enrolment, &files.entry, spki, &device));
    bool has_trust = false;
    HR_TRY(write_trust(&files, enrolment->force, &has_trust));
    HR_TRY(write_snippet(enrolment, &files, cli_entry_newest_epoch(&device), has_trust));
    HR_TRY(cli_entry_write(&files.entry, &device, enrolment->force));
    cli_entry_tell(&files.entry, &device);
    return hr_ok();
}
