/* SPDX-License-Identifier: Apache-2.0
 *
 * What belongs to a device beside its row, as frames: each begins with its form. */
#include "tools/cli/archive.h"
#include "tools/cli/archive_rows.h"

#include <string.h>

enum { FORM = 0, WANTS_KEY = 1, WANTS_TRANSPORT = 2, OF_ANY = 4 };

void cli_put_device_more(struct hr_writer *out, const struct ledger_device *device)
{
    hr_write_u8(out, FORM);
    hr_write_u64(out, device->device_id);
    hr_write_u8(out, (uint8_t)((device->wants_key ? WANTS_KEY : 0) |
                               (device->wants_transport != LEDGER_TRANSPORT_NOT ? WANTS_TRANSPORT : 0) |
                               (device->wants_transport == LEDGER_TRANSPORT_OF_ANY ? OF_ANY : 0)));
    hr_write_u16(out, device->n_keys);
    for (uint32_t i = 0; i < device->n_keys; i++) {
        hr_write_u16(out, device->keys[i].epoch);
        hr_write_u64(out, (uint64_t)device->keys[i].since_utc_ms);
    }
}

static void date_key(struct ledger_device *device, uint16_t epoch, int64_t since_utc_ms)
{
    for (uint32_t i = 0; device != NULL && i < device->n_keys; i++) {
        if (device->keys[i].epoch == epoch) {
            device->keys[i].since_utc_ms = since_utc_ms;
        }
    }
}

bool cli_get_device_more(struct hr_bytes body, uint64_t *device_id, struct ledger_device *out)
{
    struct hr_reader in = hr_reader_over(body);
    const uint8_t form = hr_read_u8(&in);
    *device_id = hr_read_u64(&in);
    const uint8_t flags = hr_read_u8(&in);
    const uint16_t n_keys = hr_read_u16(&in);
    if (out != NULL) {
        out->wants_key = (flags & WANTS_KEY) != 0;
        out->wants_transport = (flags & WANTS_TRANSPORT) == 0 ? LEDGER_TRANSPORT_NOT
                               : (flags & OF_ANY) == 0        ? LEDGER_TRANSPORT_OF_CURRENT
                                                              : LEDGER_TRANSPORT_OF_ANY;
    }
    for (uint32_t i = 0; i < n_keys && hr_reader_ok(&in); i++) {
        const uint16_t epoch = hr_read_u16(&in);
        const int64_t since_utc_ms = (int64_t)hr_read_u64(&in);
        date_key(out, epoch, since_utc_ms);
    }
    return form == FORM && (flags & ~(unsigned)(WANTS_KEY | WANTS_TRANSPORT | OF_ANY)) == 0 &&
           cli_row_is_done(&in);
}

void cli_put_enrolment(struct hr_writer *out, const struct ledger_enrolment *row)
{
    hr_write_u8(out, FORM);
    hr_write_u64(out, row->device_id);
    cli_put_text(out, row->serial);
    cli_put_text(out, row->site);
    hr_write_raw(out, row->nonce, sizeof row->nonce);
    hr_write_u16(out, row->epoch);
    hr_write_u32(out, row->first_stream);
    hr_write_u16(out, row->spki_len_bytes);
    hr_write_raw(out, row->spki, row->spki_len_bytes);
    hr_write_u16(out, row->certificate_len_bytes);
    hr_write_raw(out, row->certificate, row->certificate_len_bytes);
}

/* A length (2) and so many bytes; false: more than there is room for. */
static bool get_bytes(struct hr_reader *in, uint8_t *out, size_t capacity_bytes, uint16_t *len_bytes)
{
    *len_bytes = hr_read_u16(in);
    const bool fits = *len_bytes <= capacity_bytes;
    if (fits) {
        hr_read_raw(in, out, *len_bytes);
    }
    return fits && hr_reader_ok(in);
}

bool cli_get_enrolment(struct hr_bytes body, struct ledger_enrolment *out)
{
    struct hr_reader in = hr_reader_over(body);
    memset(out, 0, sizeof *out);
    bool good = hr_read_u8(&in) == FORM;
    out->device_id = hr_read_u64(&in);
    good = good && cli_get_text(&in, out->serial, sizeof out->serial) &&
           cli_get_text(&in, out->site, sizeof out->site);
    hr_read_raw(&in, out->nonce, sizeof out->nonce);
    out->epoch = hr_read_u16(&in);
    out->first_stream = hr_read_u32(&in);
    return good && get_bytes(&in, out->spki, sizeof out->spki, &out->spki_len_bytes) &&
           get_bytes(&in, out->certificate, sizeof out->certificate, &out->certificate_len_bytes) &&
           cli_row_is_done(&in);
}

void cli_put_certificate(struct hr_writer *out, const struct ledger_certificate *row)
{
    hr_write_u8(out, FORM);
    hr_write_u64(out, row->device_id);
    hr_write_u32(out, row->number);
    hr_write_u8(out, row->is_barred ? 1 : 0);
    hr_write_raw(out, row->key, sizeof row->key);
    hr_write_u64(out, (uint64_t)row->issued_utc_ms);
    hr_write_u64(out, (uint64_t)row->used_utc_ms);
    hr_write_u64(out, (uint64_t)row->ends_utc_ms);
    hr_write_u16(out, row->certificate_len_bytes);
    hr_write_raw(out, row->certificate, row->certificate_len_bytes);
}

bool cli_get_certificate(struct hr_bytes body, struct ledger_certificate *out)
{
    struct hr_reader in = hr_reader_over(body);
    memset(out, 0, sizeof *out);
    const bool good = hr_read_u8(&in) == FORM;
    out->device_id = hr_read_u64(&in);
    out->number = hr_read_u32(&in);
    out->is_barred = hr_read_u8(&in) != 0;
    hr_read_raw(&in, out->key, sizeof out->key);
    out->issued_utc_ms = (int64_t)hr_read_u64(&in);
    out->used_utc_ms = (int64_t)hr_read_u64(&in);
    out->ends_utc_ms = (int64_t)hr_read_u64(&in);
    return good && get_bytes(&in, out->certificate, sizeof out->certificate, &out->certificate_len_bytes) &&
           cli_row_is_done(&in) && out->number != 0;
}
