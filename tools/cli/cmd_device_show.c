/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/board_image.h"
#include "tools/cli/board_plan.h"
#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "tools/cli/print.h"
#include "tools/cli/verbs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct cli_usage usage = {
    "device show", "MEMORY", NULL, 0,
    "Shows what an image of a board's memory says, and no secret of it. The file is not changed. Exit code "
    "1:\n"
    "a key is not its certificate's, or there is no seed; 2: there is no identity that checks."};

/* NULL when it is not a certificate. */
static X509 *certificate_of(struct hr_bytes der)
{
    const unsigned char *at = der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.len_bytes);
    ERR_clear_error();
    return certificate;
}

static EVP_PKEY *key_of(struct hr_bytes der)
{
    const unsigned char *at = der.data;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)der.len_bytes);
    ERR_clear_error();
    return key;
}

static void print_certificate(const char *what, struct hr_bytes der)
{
    X509 *certificate = certificate_of(der);
    if (certificate == NULL) {
        (void)printf("%-12s not a certificate\n", what);
        return;
    }
    char subject[256];
    char issuer[256];
    struct tm until = {0};
    (void)X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof subject);
    (void)X509_NAME_oneline(X509_get_issuer_name(certificate), issuer, sizeof issuer);
    (void)ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &until);
    (void)printf("%-12s %s  by %s  until %04d-%02d-%02d  %zu bytes\n", what, subject, issuer,
                 until.tm_year + 1900, until.tm_mon + 1, until.tm_mday, der.len_bytes);
    X509_free(certificate);
}

/* True when all is well. */
static bool print_keys(const struct image_identity *identity)
{
    EVP_PKEY *record_key = key_of(identity->record_key);
    EVP_PKEY *transport_key = key_of(identity->transport_key);
    X509 *certificate = certificate_of(identity->certificate);
    unsigned char *spki = NULL;
    int spki_bytes = record_key == NULL ? -1 : i2d_PUBKEY(record_key, &spki);
    bool is_pair = transport_key != NULL && certificate != NULL &&
                   X509_check_private_key(certificate, transport_key) == 1;
    if (spki_bytes > 0) {
        unsigned char digest[32];
        char text[CLI_DIGEST_TEXT_CHARS];
        (void)EVP_Digest(spki, (size_t)spki_bytes, digest, NULL, EVP_sha256(), NULL);
        (void)printf("%-12s epoch %u  SHA-256 of the public key %s\n", "record key", identity->key_epoch,
                     cli_digest_text(digest, text));
    } else {
        (void)printf("%-12s epoch %u  not a key\n", "record key", identity->key_epoch);
    }
    print_certificate("certificate", identity->certificate);
    (void)printf("%-12s %s\n", "its key", is_pair ? "fits" : "is another one");
    for (uint8_t i = 0; i < identity->n_ca; i++) {
        print_certificate("trusts", identity->ca[i]);
    }
    if (identity->trust_version != 0) {
        (void)printf("%-12s trust bundle %" PRIu32 ", whose authorities count instead\n", "follows",
                     identity->trust_version);
    }
    OPENSSL_free(spki);
    X509_free(certificate);
    EVP_PKEY_free(transport_key);
    EVP_PKEY_free(record_key);
    ERR_clear_error();
    return spki_bytes > 0 && is_pair;
}

static unsigned mask_bits(const uint8_t mask[IMAGE_IPV4_BYTES])
{
    unsigned bits = 0;
    for (unsigned i = 0; i < IMAGE_IPV4_BYTES * 8; i++) {
        bits += (unsigned)mask[i / 8] >> (7 - i % 8) & 1u;
    }
    return bits;
}

static void print_network(const struct image_identity *identity)
{
    char text[INET6_ADDRSTRLEN] = "";
    const uint8_t *mac = identity->mac;
    const struct image_ipv4 *ipv4 = &identity->ipv4;
    (void)printf("%-12s MAC %02x:%02x:%02x:%02x:%02x:%02x\n", "network", mac[0], mac[1], mac[2], mac[3],
                 mac[4], mac[5]);
    if (identity->has_ipv4) {
        (void)printf("%-12s %s/%u", "IPv4", inet_ntop(AF_INET, ipv4->address, text, sizeof text),
                     mask_bits(ipv4->mask));
        (void)printf("  gateway %s", inet_ntop(AF_INET, ipv4->gateway, text, sizeof text));
        (void)printf("  DNS %s\n", inet_ntop(AF_INET, ipv4->dns, text, sizeof text));
    } else {
        (void)printf("%-12s by DHCP\n", "IPv4");
    }
    if (identity->has_ipv6) {
        (void)printf("%-12s %s/%u\n", "IPv6", inet_ntop(AF_INET6, identity->ipv6.address, text, sizeof text),
                     identity->ipv6.prefix_bits);
    } else {
        (void)printf("%-12s by router advertisement\n", "IPv6");
    }
}

static enum cli_exit print_image(const struct cli_board_image *image)
{
    const struct image_identity *identity = &image->identity;
    const struct image_regions *regions = &identity->regions;
    (void)printf("%-12s %s  sequence %" PRIu32 "  %" PRIu32 " of %d copies check\n", "image", identity->board,
                 identity->sequence, image->n_copies, IMAGE_COPIES);
    if (identity->serial != NULL) {
        (void)printf("%-12s %s\n", "serial", identity->serial);
    }
    if (identity->state != IMAGE_ENROLLED) {
        (void)printf("%-12s %s: `headrace device provision` goes on\n", "state",
                     identity->state == IMAGE_FACTORY ? "factory" : "certified");
        return image->n_seeds > 0 ? CLI_OK : CLI_FAILED;
    }
    (void)printf("%-12s %" PRIu64 "  %016" PRIx64 "  name %s  site %s\n", "device", identity->device_id,
                 identity->device_id, identity->name, identity->site == NULL ? "-" : identity->site);
    (void)printf("%-12s %s\n", "console", identity->console_locked ? "locked" : "unlocked");
    bool good = print_keys(identity);
    for (uint8_t i = 0; i < identity->n_aggregators; i++) {
        (void)printf("%-12s %s\n", "aggregator", identity->aggregators[i]);
    }
    (void)printf("%-12s %s\n", "server name", identity->server_name);
    print_network(identity);
    if (identity->serial_baud != 0) {
        (void)printf("%-12s %" PRIu32 " baud\n", "serial", identity->serial_baud);
    }
    if (identity->seal_max_age_ms != 0) {
        (void)printf("%-12s after %" PRIu32 " ms\n", "seals", identity->seal_max_age_ms);
    }
    if (image->n_seeds > 0) {
        (void)printf("%-12s sequence %" PRIu32 "\n", "seed", image->seed_sequence);
    } else {
        (void)printf("%-12s none: the device opens no session\n", "seed");
    }
    (void)printf("%-12s %" PRIu32 " sectors of %" PRIu32 " bytes from byte %" PRIu64 "  unit %u\n", "spool",
                 regions->spool_n_sectors, regions->sector_bytes,
                 (uint64_t)regions->spool_first_sector * regions->sector_bytes, regions->program_unit_bytes);
    return good && image->n_seeds > 0 ? CLI_OK : CLI_FAILED;
}

static const char *reason_of(struct hr_status status)
{
    switch (status.code) {
    case HR_NOT_FOUND:
        return "no image of a board's memory: it holds no identity";
    case HR_MALFORMED:
        return "its identity has a format or a field that this tool does not know";
    case HR_CORRUPT:
        return "its identity fails its check";
    case HR_OK:
    case HR_AGAIN:
    case HR_FULL:
    case HR_DENIED:
    case HR_IO:
    case HR_CLOSED:
        break;
    }
    return "it can't be read";
}

int cli_device_show(int argc, char **argv)
{
    struct cli_arguments given;
    int parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    struct stat info;
    int fd = open(given.positional, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0) {
        (void)fprintf(stderr, "headrace device show: %s: %s\n", given.positional, strerror(errno));
        return CLI_FAILED;
    }
    struct cli_board_image image;
    struct hr_status status = cli_board_image_read(fd, (uint64_t)info.st_size, &image);
    enum cli_exit code = CLI_INCOMPLETE;
    if (hr_is_ok(status)) {
        code = print_image(&image);
        cli_plan_show(fd, &image.identity.regions);
    } else {
        (void)fprintf(stderr, "headrace device show: %s: %s\n", given.positional, reason_of(status));
    }
    (void)close(fd);
    OPENSSL_cleanse(&image, sizeof image);
    return (int)code;
}
