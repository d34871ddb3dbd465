/* SPDX-License-Identifier: Apache-2.0
 *
 * What the non-volatile memory of a provisioned board holds: identity, seed, spool. `headrace device enrol
 * --board` writes it, the firmware reads it; proto/SPEC.md section 10 has every byte. Pages are copied twice,
 * so that one can always be read, whenever the power goes.
 *
 *     page 0, 1   identity, two copies: names, keys, certificates, addresses
 *     page 2, 3   seed, two copies: rewritten at every boot
 *     behind      the spool (proto/SPOOL.md), from spool_first_sector on
 *     behind it   the poll plan, two copies, where the board polls a Modbus line (proto/image/plan.h)
 *     behind it   the trust bundle that is followed, and room for the next one (proto/trust/trust.h)
 *
 * A page is IMAGE_PAGE_MIN_BYTES, or one erase sector where that is more. Reading and writing the memory is
 * the firmware's: firmware/core/provision.h. Bytes read are doubted here, once. [any] */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

enum {
    IMAGE_PAGE_MIN_BYTES = 4096,
    IMAGE_COPIES = 2,
    IMAGE_SYSTEM_PAGES = 2 * IMAGE_COPIES, /* before the spool */
    IMAGE_HEAD_BYTES = 12,                 /* of either page: enough for image_head_decode */
    IMAGE_IDENTITY_MAX_BYTES = 2560,
    IMAGE_SEED_BYTES = 48,
    IMAGE_SEED_PAGE_BYTES = 64, /* with its head and check; a multiple of every program unit */

    IMAGE_MAX_AGGREGATORS = 4,
    IMAGE_MAX_CA = 2,
    IMAGE_NAME_MAX_CHARS = 63, /* of names, the board's and the server's among them */
    IMAGE_URI_MAX_CHARS = 95,
    IMAGE_KEY_MAX_BYTES = 160,
    IMAGE_CERTIFICATE_MAX_BYTES = 640,
    IMAGE_MAC_BYTES = 6,
    IMAGE_IPV4_BYTES = 4,
    IMAGE_IPV6_BYTES = 16,
    IMAGE_IPV6_PREFIX_BITS = 64,
    IMAGE_DIGEST_BYTES = 32,
};

/* How the memory is divided. Sectors are those of port_flash. */
struct image_regions {
    uint32_t sector_bytes;       /* 512 to 1 MB, a power of two */
    uint16_t program_unit_bytes; /* 1, 2, 4, 8, 16 or 32 */
    uint32_t spool_first_sector; /* at or behind the system pages */
    uint32_t spool_n_sectors;    /* at least 4; 0: the spool is elsewhere, as a gateway's is */
};

struct image_ipv4 {
    uint8_t address[IMAGE_IPV4_BYTES];
    uint8_t mask[IMAGE_IPV4_BYTES];
    uint8_t gateway[IMAGE_IPV4_BYTES]; /* zeros: none */
    uint8_t dns[IMAGE_IPV4_BYTES];     /* zeros: none */
};

struct image_ipv6 {
    uint8_t address[IMAGE_IPV6_BYTES];
    uint8_t prefix_bits; /* IMAGE_IPV6_PREFIX_BITS: firmware knows no other network of an interface */
};

/* How far a device is in its life (SPEC.md section 10.3). */
enum image_state {
    IMAGE_ENROLLED,  /* it delivers */
    IMAGE_FACTORY,   /* it has a serial, its network, and perhaps a transport key; nobody knows it yet */
    IMAGE_CERTIFIED, /* it knows who it is; its record key may be there and is not known to be registered */
};

/* Decoded; text and slices are borrowed from the bytes that were decoded, text with its NUL. */
struct image_identity {
    uint32_t sequence; /* the copy with the higher one counts; rises at each writing */
    struct image_regions regions;

    enum image_state state; /* absent: enrolled */
    bool console_locked;    /* the shell shows states and changes nothing */
    bool has_switch;        /* of the record key, below */
    uint16_t key_epoch;     /* of record_key; 0: none */
    const char *board;      /* folder of boards/; firmware of another board refuses the image */
    uint64_t device_id;     /* 0: a factory's, until it is told */
    const char *name;       /* what people call the device; NULL: a factory's */
    const char *site;       /* NULL: not given */

    /* Any of it may be absent in a factory's image, record key and epoch are. IMAGE_CERTIFIED may be without
     * these two. */
    struct hr_bytes record_key;       /* DER of a P-256 private key (SEC1), as crypto_signer_load takes it */
    struct hr_bytes transport_key;    /* likewise */
    struct hr_bytes certificate;      /* DER, of transport_key */
    struct hr_bytes ca[IMAGE_MAX_CA]; /* DER, trusted to sign aggregators; at least one */
    const char *aggregators[IMAGE_MAX_AGGREGATORS]; /* URIs as net_address_parse takes them; at least one */
    const char *server_name;                        /* that the aggregator's certificate must have */
    uint8_t n_ca;
    uint8_t n_aggregators;

    uint8_t mac[IMAGE_MAC_BYTES]; /* unicast; zeros: none, where the spool is elsewhere */
    bool has_ipv4;                /* false: DHCP */
    bool has_ipv6;                /* false: by router advertisement */
    struct image_ipv4 ipv4;
    struct image_ipv6 ipv6;

    uint32_t serial_baud;     /* 0: the board's */
    uint32_t seal_max_age_ms; /* 0: the firmware's */

    /* All of it may be absent: empty, NULL, 0. */
    uint32_t switch_stream; /* has_switch: from that batch on record_key seals */
    uint32_t switch_seq;
    const char *serial;                 /* of the hardware; a factory's image has one */
    struct hr_bytes next_record_key;    /* prepared for key_epoch + 1; nothing was announced */
    struct hr_bytes old_record_key;     /* of key_epoch - 1, to read by, until the switch is acknowledged */
    struct hr_bytes next_transport_key; /* prepared; no session has used it */
    struct hr_bytes next_certificate;   /* of next_transport_key */
    uint32_t trust_version;             /* of the trust bundle that counts instead of ca; 0: none */
    uint32_t first_stream;              /* a new spool begins with it; 0: the firmware's choice */
    uint8_t trust_digest[IMAGE_DIGEST_BYTES]; /* SHA-256 of that bundle */
};

/* Bytes of a page on flash with such sectors. */
uint32_t image_page_bytes(uint32_t sector_bytes);
/* Where the copies (0 and 1) stand, from the start of the memory. */
uint32_t image_identity_address(uint32_t sector_bytes, uint32_t copy);
uint32_t image_seed_address(uint32_t sector_bytes, uint32_t copy);
/* The first sector behind the system pages. */
uint32_t image_spool_first_sector(uint32_t sector_bytes);
/* Of the poll plan, behind the spool. Beyond the memory where that has no room for it. */
uint64_t image_plan_address(const struct image_regions *regions, uint32_t copy);
/* Of the trust bundle, behind the poll plan, likewise. */
uint64_t image_trust_address(const struct image_regions *regions, uint32_t copy);

enum image_kind { IMAGE_IDENTITY, IMAGE_SEED, IMAGE_PLAN };

/* What the first IMAGE_HEAD_BYTES of a page say; the check has not been looked at. */
struct image_head {
    enum image_kind kind;
    uint16_t len_bytes; /* of the page that is used, head and check included; in range for its kind */
    uint32_t sequence;
};

/* HR_NOT_FOUND: no such page (erased, or other bytes). HR_MALFORMED: another format, or an impossible length;
 * newer firmware may know it. Asserts IMAGE_HEAD_BYTES of input. */
HR_MUST_USE struct hr_status image_head_decode(struct hr_bytes head, struct image_head *out);

/* Writes an identity page. HR_MALFORMED: a field is out of the range that decoding asks for. HR_FULL: it does
 * not fit the capacity or IMAGE_IDENTITY_MAX_BYTES. */
HR_MUST_USE struct hr_status image_identity_encode(const struct image_identity *identity, uint8_t *out,
                                                   size_t capacity_bytes, size_t *len_bytes);

/* How long its page is, for writing it by parts. HR_FULL: longer than IMAGE_IDENTITY_MAX_BYTES. No field is
 * doubted. */
HR_MUST_USE struct hr_status image_identity_len(const struct image_identity *identity, size_t *len_bytes);

/* Bytes from_bytes and on of the page of whole_bytes (image_identity_len), as many as fit into out; what is
 * behind the page is left as it is. Makes the whole page for it: for those without room to have it. */
void image_identity_part(const struct image_identity *identity, size_t whole_bytes, size_t from_bytes,
                         uint8_t *out, size_t len_bytes);

/* Reads exactly the len_bytes of a page. HR_NOT_FOUND, HR_MALFORMED: as image_head_decode. HR_CORRUPT: the
 * check fails. HR_MALFORMED also: the check holds and a field is missing, unknown, twice or out of range. */
HR_MUST_USE struct hr_status image_identity_decode(struct hr_bytes bytes, struct image_identity *out);

struct image_seed {
    uint32_t sequence; /* 1 to 2^32 - 2; rises at every boot */
    uint8_t seed[IMAGE_SEED_BYTES];
};

/* Asserts that sequence is in range. */
void image_seed_encode(const struct image_seed *seed, uint8_t out[IMAGE_SEED_PAGE_BYTES]);
/* Codes as image_identity_decode; a seed of one value throughout is HR_MALFORMED. */
HR_MUST_USE struct hr_status image_seed_decode(const uint8_t bytes[IMAGE_SEED_PAGE_BYTES],
                                               struct image_seed *out);

/* The boards that `headrace device enrol --board` knows. The firmware takes its geometry from its own driver
 * and refuses an image that was made for another. */
struct image_board {
    const char *name;
    uint32_t sector_bytes;
    uint16_t program_unit_bytes;
    uint32_t spool_n_sectors;
    uint32_t file_bytes; /* of the memory file that the board's QEMU machine wants; at least all regions */
    bool follows_trust;  /* BOARD_FOLLOWS_TRUST of its board.cmake */
};

/* What of a poll plan the board has memory for; false: it has no Modbus line. */
bool image_board_plan_limits(const char *name, uint8_t *max_units, uint8_t *max_points);

/* NULL: no such board. */
const struct image_board *image_board_find(const char *name);
/* Board i of the table, NULL behind the last. */
const struct image_board *image_board_at(size_t i);

#endif
