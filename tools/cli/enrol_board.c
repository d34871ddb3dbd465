/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "tools/cli/board_plan.h"
#include "tools/cli/enrol.h"
#include "tools/cli/trust_file.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct board_files {
    struct cli_path memory, certificate, record_public, entry;
};

/* What stands in an image as DER. Wiped after use: two of them are private keys. */
struct board_secrets {
    struct cli_der record_key, transport_key, certificate, trusted;
};

static struct hr_status files_of(const struct cli_enrolment *enrolment, struct board_files *out)
{
    HR_TRY(cli_path_of(&out->memory, enrolment->out, "memory.img"));
    HR_TRY(cli_path_of(&out->certificate, enrolment->out, "device.crt"));
    HR_TRY(cli_path_of(&out->record_public, enrolment->out, "record.pub.pem"));
    return cli_entry_path(enrolment->registry, enrolment->device_id, &out->entry);
}

static struct hr_status make_transport(const struct cli_enrolment *enrolment, const struct board_files *files,
                                       struct board_secrets *out)
{
    struct cli_certified made;
    HR_TRY(cli_enrol_transport(enrolment, &made));
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;
    X509 *trusted = NULL;
    struct hr_status status = cli_pem_key(&made.key, &key);
    cli_pem_wipe(&made.key);
    if (hr_is_ok(status)) {
        status = cli_key_der(key, &out->transport_key);
    }
    EVP_PKEY_free(key);
    if (hr_is_ok(status)) {
        status = cli_pem_certificate(&made.certificate, &certificate);
    }
    if (hr_is_ok(status)) {
        status = cli_certificate_der(certificate, &out->certificate);
    }
    X509_free(certificate);
    if (hr_is_ok(status)) {
        status = cli_enrol_trusted(enrolment, &trusted);
    }
    if (hr_is_ok(status)) {
        status = cli_certificate_der(trusted, &out->trusted);
    }
    X509_free(trusted);
    HR_TRY(status);
    return cli_enrol_write(&files->certificate,
                           hr_bytes_of(made.certificate.text, made.certificate.len_bytes), false,
                           enrolment->force);
}

static struct hr_status make_record_key(const struct cli_enrolment *enrolment,
                                        const struct board_files *files, struct board_secrets *out,
                                        uint8_t spki[CLI_SPKI_BYTES])
{
    EVP_PKEY *key = NULL;
    struct cli_pem pem;
    HR_TRY(cli_key_new(&key));
    struct hr_status status = cli_key_der(key, &out->record_key);
    if (hr_is_ok(status)) {
        status = cli_key_spki(key, spki);
    }
    if (hr_is_ok(status)) {
        status = cli_key_public_pem(key, &pem);
    }
    EVP_PKEY_free(key);
    HR_TRY(status);
    return cli_enrol_write(&files->record_public, hr_bytes_of(pem.text, pem.len_bytes), false,
                           enrolment->force);
}

static struct hr_bytes der_bytes(const struct cli_der *der)
{
    return hr_bytes_of(der->bytes, der->len_bytes);
}

static struct hr_status encode(const struct image_identity *identity, uint8_t out[IMAGE_IDENTITY_MAX_BYTES],
                               size_t *len_bytes)
{
    struct hr_status status = image_identity_encode(identity, out, IMAGE_IDENTITY_MAX_BYTES, len_bytes);
    if (!hr_is_ok(status)) {
        (void)fprintf(stderr,
                      "headrace: certificates of %zu and %zu bytes, names and addresses don't fit "
                      "an identity page (%d bytes, each certificate at most %d)\n",
                      identity->certificate.len_bytes, identity->ca[0].len_bytes, IMAGE_IDENTITY_MAX_BYTES,
                      IMAGE_CERTIFICATE_MAX_BYTES);
    }
    return status;
}

static void place_plan(const struct image_regions *regions, const struct image_board *board,
                       const struct cli_plan_page *plan, uint8_t *memory)
{
    for (uint32_t copy = 0; copy < IMAGE_COPIES; copy++) {
        uint64_t address = image_plan_address(regions, copy);
        HR_ASSERT(address + plan->len_bytes <= board->file_bytes);
        memcpy(memory + address, plan->bytes, plan->len_bytes);
    }
}

static void place_bundle(const struct image_regions *regions, const struct image_board *board,
                         const struct trust_bundle *bundle, uint8_t *memory)
{
    const struct hr_bytes whole = trust_whole(bundle);
    HR_ASSERT(image_trust_address(regions, IMAGE_COPIES - 1) + TRUST_MAX_BYTES <= board->file_bytes);
    memcpy(memory + image_trust_address(regions, 0), whole.data, whole.len_bytes);
}

/* The bundle that the board begins with; NULL: the authority has none, or the board follows none. */
static struct hr_status find_bundle(const struct cli_enrolment *enrolment, const struct trust_bundle **out)
{
    static struct cli_trust_file file;
    struct cli_path path;
    HR_TRY(cli_path_of(&path, enrolment->authority, "trust.bundle"));
    HR_TRY(cli_trust_read(path.text, &file));
    *out = enrolment->board->follows_trust ? cli_trust_newest(&file) : NULL;
    return hr_ok();
}

/* Erased memory with both copies of the identity and the first seed; the spool is begun by the firmware. */
static struct hr_status fill_memory(const struct image_board *board, const struct image_identity *identity,
                                    uint8_t *memory)
{
    uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
    size_t len_bytes = 0;
    struct hr_status status = encode(identity, page, &len_bytes);
    if (hr_is_ok(status)) {
        memset(memory, 0xFF, board->file_bytes);
        for (uint32_t copy = 0; copy < IMAGE_COPIES; copy++) {
            memcpy(memory + image_identity_address(board->sector_bytes, copy), page, len_bytes);
        }
        struct image_seed seed = {.sequence = 1};
        if (RAND_priv_bytes(seed.seed, sizeof seed.seed) == 1) {
            image_seed_encode(&seed, memory + image_seed_address(board->sector_bytes, 0));
        } else {
            (void)fputs("headrace: there are no random numbers for a seed\n", stderr);
            status = hr_status_of(HR_IO);
        }
        OPENSSL_cleanse(&seed, sizeof seed);
    }
    OPENSSL_cleanse(page, sizeof page);
    return status;
}

struct hr_status cli_board_memory_write(const struct image_board *board,
                                        const struct image_identity *identity,
                                        const struct cli_plan_page *plan, const struct trust_bundle *bundle,
                                        const struct cli_path *path, bool force)
{
    size_t len_bytes = board->file_bytes;
    uint8_t *memory = malloc(len_bytes);
    if (memory == NULL) {
        perror("headrace");
        return hr_status_of(HR_IO);
    }
    struct hr_status status = fill_memory(board, identity, memory);
    if (hr_is_ok(status)) {
        if (plan != NULL) {
            place_plan(&identity->regions, board, plan, memory);
        }
        if (bundle != NULL) {
            place_bundle(&identity->regions, board, bundle, memory);
        }
        status = cli_enrol_write(path, hr_bytes_of(memory, len_bytes), true, force);
    }
    OPENSSL_cleanse(memory, len_bytes);
    free(memory);
    return status;
}

static struct hr_status write_memory(const struct cli_enrolment *enrolment, const struct board_files *files,
                                     const struct board_secrets *secrets, const struct cli_plan_page *plan,
                                     uint16_t epoch)
{
    struct image_identity identity = enrolment->wanted;
    identity.sequence = epoch; /* it rises with each provisioning */
    identity.board = enrolment->board->name;
    identity.device_id = enrolment->device_id;
    identity.name = enrolment->name;
    identity.key_epoch = epoch;
    identity.record_key = der_bytes(&secrets->record_key);
    identity.transport_key = der_bytes(&secrets->transport_key);
    identity.certificate = der_bytes(&secrets->certificate);
    identity.ca[identity.n_ca++] = der_bytes(&secrets->trusted);
    for (size_t i = 0; i < enrolment->n_aggregators; i++) {
        identity.aggregators[identity.n_aggregators++] = enrolment->aggregators[i];
    }
    identity.server_name = enrolment->server_name;
    const struct trust_bundle *bundle = NULL;
    HR_TRY(find_bundle(enrolment, &bundle));
    if (bundle != NULL) {
        cli_trust_begin(bundle, &identity);
    }
    return cli_board_memory_write(enrolment->board, &identity, plan, bundle, &files->memory,
                                  enrolment->force);
}

static struct hr_status make_and_write(const struct cli_enrolment *enrolment, const struct board_files *files,
                                       const struct cli_plan_page *plan, struct board_secrets *secrets)
{
    uint8_t spki[CLI_SPKI_BYTES];
    struct ledger_device device;
    HR_TRY(make_transport(enrolment, files, secrets));
    HR_TRY(make_record_key(enrolment, files, secrets, spki));
    HR_TRY(cli_entry_with_key(enrolment, &files->entry, spki, &device));
    HR_TRY(write_memory(enrolment, files, secrets, plan, cli_entry_newest_epoch(&device)));
    HR_TRY(cli_entry_write(&files->entry, &device, enrolment->force));
    cli_entry_tell(&files->entry, &device);
    return hr_ok();
}

struct hr_status cli_enrol_board(const struct cli_enrolment *enrolment)
{
    static struct cli_plan_page plan;
    struct board_files files;
    if (enrolment->plan != NULL) {
        HR_TRY(cli_plan_compile(enrolment->plan, enrolment->board->name, &plan));
    }
    HR_TRY(cli_directory_make(enrolment->registry));
    HR_TRY(files_of(enrolment, &files));
    if (!enrolment->force) {
        const struct cli_path all[] = {files.memory, files.certificate, files.record_public, files.entry};
        HR_TRY(cli_files_absent(all, HR_ARRAY_LEN(all)));
    }
    HR_TRY(cli_directory_make(enrolment->out));
    struct board_secrets secrets = {0};
    struct hr_status status =
        make_and_write(enrolment, &files, enrolment->plan != NULL ? &plan : NULL, &secrets);
    OPENSSL_cleanse(&secrets, sizeof secrets);
    return status;
}
