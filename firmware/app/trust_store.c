/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/trust_store.h"

#include "firmware/crypto/crypto.h"
#include "firmware/crypto/device_key.h"
#include "proto/base/assert.h"

#include <string.h>

enum { WINDOW_BYTES = 64 /* a multiple of every program unit */, N_PAGES = FW_TRUST_COPIES };

_Static_assert((size_t)TRUST_MAX_BYTES <= (size_t)IMAGE_PAGE_MIN_BYTES, "a bundle fits a page");
_Static_assert((size_t)IMAGE_MAX_CA *IMAGE_CERTIFICATE_MAX_BYTES <=
                   (size_t)TRUST_MAX_CA * TRUST_CERTIFICATE_MAX_BYTES,
               "the identity's authorities fit");

static struct trust_store {
    const struct port_flash *memory;
    uint64_t at;
    struct fw_identity_store *identity;
    struct fw_trust trust; /* before it is open its room is for the ceremony */
    bool is_opening;       /* the bundle has to be the one that the identity names */
    bool is_followed;
    struct hr_bytes ca; /* of authorities */
    char server_name[IMAGE_NAME_MAX_CHARS + 1];
    uint8_t authorities[TRUST_MAX_CA * TRUST_CERTIFICATE_MAX_BYTES];
} store;

static uint32_t page_bytes(void)
{
    return image_page_bytes(store.memory->sector_bytes);
}

static uint32_t address_of(uint32_t page)
{
    return (uint32_t)store.at + page * page_bytes();
}

/* ---- pages ---- */

static struct hr_status erase_page(uint32_t page)
{
    const struct port_flash *memory = store.memory;
    uint32_t first = address_of(page) / memory->sector_bytes;
    for (uint32_t i = 0; i < page_bytes() / memory->sector_bytes; i++) {
        HR_TRY(memory->erase(memory->ctx, first + i));
    }
    return hr_ok();
}

/* Programs erased bytes of a page from `from` on, and makes them durable. */
static struct hr_status program_page(uint32_t page, uint32_t from, struct hr_bytes bytes)
{
    const struct port_flash *memory = store.memory;
    const uint32_t unit = memory->program_unit_bytes;
    uint8_t window[WINDOW_BYTES];
    HR_ASSERT(from % unit == 0 && WINDOW_BYTES % unit == 0);
    for (uint32_t at = 0; at < bytes.len_bytes; at += WINDOW_BYTES) {
        uint32_t left_bytes = (uint32_t)bytes.len_bytes - at;
        uint32_t n_bytes = left_bytes < WINDOW_BYTES ? left_bytes : WINDOW_BYTES;
        memset(window, 0xFF, sizeof window);
        memcpy(window, bytes.data + at, n_bytes);
        n_bytes = (n_bytes + unit - 1) / unit * unit;
        HR_TRY(memory->program(memory->ctx, address_of(page) + from + at, window, n_bytes));
    }
    return memory->sync(memory->ctx);
}

/* ---- the platform of fw_trust ---- */

static struct hr_status load(void *ctx, uint32_t copy, uint8_t *out, size_t capacity_bytes, size_t *len_bytes)
{
    struct hr_bytes bundle;
    (void)ctx;
    HR_ASSERT(capacity_bytes >= TRUST_MAX_BYTES);
    HR_TRY(store.memory->read(store.memory->ctx, address_of(copy), out, TRUST_MAX_BYTES));
    HR_TRY(trust_next(hr_bytes_of(out, TRUST_MAX_BYTES), &bundle));
    *len_bytes = bundle.len_bytes;
    return hr_ok();
}

static struct hr_status save(void *ctx, uint32_t copy, struct hr_bytes bytes)
{
    (void)ctx;
    HR_TRY(erase_page(copy));
    return program_page(copy, 0, bytes);
}

static void digest_of(const struct trust_bundle *bundle, uint8_t out[IMAGE_DIGEST_BYTES])
{
    const struct hr_bytes whole = trust_whole(bundle);
    _Static_assert((size_t)IMAGE_DIGEST_BYTES == (size_t)WIRE_DIGEST_BYTES, "the identity has room for it");
    wire_sha256(crypto_hash(), &whole, 1, out);
}

/* Written and not yet named is not there: it was on its way when the power went. */
static bool is_named(const struct trust_bundle *bundle)
{
    const struct image_identity *image = &store.identity->image;
    uint8_t digest[IMAGE_DIGEST_BYTES];
    digest_of(bundle, digest);
    return bundle->version == image->trust_version && memcmp(digest, image->trust_digest, sizeof digest) == 0;
}

static struct hr_status usable(void *ctx, const struct trust_bundle *bundle)
{
    (void)ctx;
    if (store.is_opening && !is_named(bundle)) {
        return hr_status_of(HR_MALFORMED);
    }
    for (size_t i = 0; i < bundle->n_ca; i++) {
        HR_TRY(crypto_certificate_signs(bundle->ca[i]));
    }
    return hr_ok();
}

/* Names the bundle, whose page is durable: from here on it is the one that is followed. */
static void name_in_identity(const struct trust_bundle *bundle, struct image_identity *next)
{
    next->trust_version = bundle->version;
    digest_of(bundle, next->trust_digest);
}

static void believe(const struct hr_bytes ca[], size_t n_ca, const char *server_name)
{
    size_t len_bytes = 0;
    for (size_t i = 0; i < n_ca; i++) {
        HR_ASSERT(ca[i].len_bytes <= sizeof store.authorities - len_bytes);
        memcpy(store.authorities + len_bytes, ca[i].data, ca[i].len_bytes);
        len_bytes += ca[i].len_bytes;
    }
    store.ca = hr_bytes_of(store.authorities, len_bytes);
    size_t n_chars = strlen(server_name);
    HR_ASSERT(n_chars < sizeof store.server_name);
    memcpy(store.server_name, server_name, n_chars + 1);
}

static struct hr_status adopt(void *ctx, const struct trust_bundle *bundle)
{
    (void)ctx;
    if (!store.identity->is_known) {
        return hr_status_of(HR_IO);
    }
    if (!store.is_opening) {
        struct image_identity next = store.identity->image;
        name_in_identity(bundle, &next);
        HR_TRY(fw_identity_store_replace(store.identity, &next));
    }
    believe(bundle->ca, bundle->n_ca, trust_name_for(bundle, store.identity->image.server_name));
    return hr_ok();
}

static struct hr_status verify(void *ctx, const uint8_t spki[TRUST_SPKI_BYTES],
                               const uint8_t digest[WIRE_DIGEST_BYTES],
                               const uint8_t signature[TRUST_ECDSA_BYTES])
{
    (void)ctx;
    return crypto_verify_digest(spki, digest, signature);
}

static const struct trust_verify verifier = {.verify = verify};

/* ---- all of it ---- */

void app_trust_store_init(const struct port_flash *memory, uint64_t at, struct fw_identity_store *identity)
{
    memset(&store, 0, sizeof store);
    store.memory = memory;
    store.at = at;
    store.identity = identity;
}

bool app_trust_store_follows(void)
{
    const struct port_flash *memory = store.memory;
    return memory != NULL &&
           store.at + (uint64_t)N_PAGES * page_bytes() <= (uint64_t)memory->n_sectors * memory->sector_bytes;
}

struct hr_status app_trust_store_open(const struct port_log *log)
{
    const struct image_identity *image = &store.identity->image;
    believe(image->ca, image->n_ca, image->server_name);
    if (image->trust_version == 0) {
        return hr_ok();
    }
    const struct fw_trust_platform platform = {load, save, usable, adopt, NULL};
    store.is_opening = true;
    store.is_followed = app_trust_store_follows() &&
                        hr_is_ok(fw_trust_open(&store.trust, &platform, crypto_hash(), &verifier));
    store.is_opening = false;
    if (!store.is_followed) {
        PORT_LOG(log, PORT_LOG_WARN, "trust_missing", {"version", NULL, image->trust_version},
                 {"text", "the trust bundle is damaged: the authority of the identity is believed", 0});
        return hr_ok();
    }
    PORT_LOG(log, PORT_LOG_INFO, "trust_opened", {"version", NULL, fw_trust_version(&store.trust)},
             {"server_name", store.server_name, 0});
    return hr_ok();
}

struct hr_bytes app_trust_store_ca(void)
{
    return store.ca;
}

const char *app_trust_store_server_name(void)
{
    return store.server_name;
}

struct fw_trust *app_trust_store_followed(void)
{
    return store.is_followed ? &store.trust : NULL;
}

void app_trust_store_count(struct fw_collector *collector)
{
    if (store.is_followed) {
        fw_collector_add_source(collector,
                                (struct fw_stats_source){.stats = fw_trust_stats, .ctx = &store.trust});
    }
}

/* ---- the first one ---- */

/* A line that is said again finds its piece there. */
static struct hr_status write_piece(uint32_t from, struct hr_bytes piece)
{
    uint8_t *read = store.trust.pages[0];
    if (from == 0) {
        HR_TRY(erase_page(0));
    }
    HR_TRY(store.memory->read(store.memory->ctx, address_of(0) + from, read, (uint32_t)piece.len_bytes));
    bool is_there = memcmp(read, piece.data, piece.len_bytes) == 0;
    for (size_t i = 0; i < piece.len_bytes && !is_there; i++) {
        if (read[i] != 0xFF) {
            return hr_status_of(HR_MALFORMED);
        }
    }
    return is_there ? hr_ok() : program_page(0, from, piece);
}

/* Looks at the bundle that ends at len_bytes of the page. */
static struct hr_status look_at_first(size_t len_bytes, struct image_identity *next)
{
    uint8_t *page = store.trust.pages[0];
    struct trust_bundle bundle;
    HR_TRY(store.memory->read(store.memory->ctx, address_of(0), page, (uint32_t)len_bytes));
    struct hr_bytes whole = hr_bytes_of(page, len_bytes);
    struct hr_status status = trust_next(whole, &whole);
    if (hr_is(status, HR_MALFORMED) && len_bytes % APP_TRUST_PIECE_BYTES == 0 &&
        len_bytes < TRUST_MAX_BYTES) {
        return hr_status_of(HR_AGAIN);
    }
    if (!hr_is_ok(status) || whole.len_bytes != len_bytes || !hr_is_ok(trust_decode(whole, &bundle)) ||
        !hr_is_ok(trust_check_first(&bundle, crypto_hash(), &verifier)) || !hr_is_ok(usable(NULL, &bundle))) {
        return hr_status_of(HR_MALFORMED);
    }
    name_in_identity(&bundle, next);
    return hr_ok();
}

struct hr_status app_trust_store_keep(uint32_t i, struct hr_bytes piece, struct image_identity *next)
{
    HR_ASSERT(app_trust_store_follows() && !store.is_followed);
    if (i >= TRUST_MAX_BYTES / APP_TRUST_PIECE_BYTES || piece.len_bytes == 0 ||
        piece.len_bytes > APP_TRUST_PIECE_BYTES) {
        return hr_status_of(HR_MALFORMED);
    }
    HR_TRY(write_piece(i * APP_TRUST_PIECE_BYTES, piece));
    return look_at_first((size_t)i * APP_TRUST_PIECE_BYTES + piece.len_bytes, next);
}
