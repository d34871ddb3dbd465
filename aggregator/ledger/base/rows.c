/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/base/rows.h"

#include "proto/base/cursor.h"

#include <string.h>

int64_t ledger_signed_of(uint64_t value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

uint64_t ledger_unsigned_of(int64_t bits)
{
    uint64_t value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void ledger_digest_of(struct hr_bytes bytes, uint8_t out[WIRE_DIGEST_BYTES])
{
    memset(out, 0, WIRE_DIGEST_BYTES);
    if (bytes.len_bytes == WIRE_DIGEST_BYTES) {
        memcpy(out, bytes.data, WIRE_DIGEST_BYTES);
    }
}

bool ledger_budget_spend(struct ledger_budget *budget, const struct ledger_batch *batch)
{
    budget->n_read++;
    bool has_room = budget->n_read < budget->batches && batch->envelope.len_bytes < budget->bytes;
    budget->bytes -= has_room ? batch->envelope.len_bytes : 0;
    return has_room;
}

void ledger_device_rows_add(struct ledger_device_rows *rows, const struct ledger_device *device,
                            const struct ledger_key *key)
{
    if (rows->has_device && rows->device.device_id != device->device_id) {
        ledger_device_rows_end(rows);
    }
    if (!rows->has_device) {
        rows->has_device = true;
        rows->device = *device;
    }
    if (key == NULL) {
        return;
    }
    struct ledger_device *into = &rows->device;
    if (into->n_keys == LEDGER_DEVICE_MAX_KEYS) {
        memmove(&into->keys[0], &into->keys[1], sizeof into->keys - sizeof into->keys[0]);
        into->n_keys--;
        into->first_epoch = into->keys[0].epoch;
    }
    into->keys[into->n_keys++] = *key;
}

void ledger_device_rows_end(struct ledger_device_rows *rows)
{
    if (rows->has_device) {
        rows->has_device = false;
        rows->each(rows->each_ctx, &rows->device);
    }
}

void ledger_suspect_add(struct ledger_suspect_count *count, uint64_t leaf, struct hr_bytes n_records)
{
    struct hr_reader reader = hr_reader_over(n_records);
    uint16_t n = hr_read_u16(&reader);
    count->first_leaf = count->n_batches == 0 || leaf < count->first_leaf ? leaf : count->first_leaf;
    count->last_leaf = leaf > count->last_leaf ? leaf : count->last_leaf;
    count->n_batches++;
    count->n_records += hr_reader_ok(&reader) ? n : 0;
}

void ledger_enrolment_bytes(struct ledger_enrolment *out, struct hr_bytes nonce, struct hr_bytes spki,
                            struct hr_bytes certificate)
{
    if (nonce.len_bytes == sizeof out->nonce) {
        memcpy(out->nonce, nonce.data, nonce.len_bytes);
    }
    if (spki.len_bytes != 0 && spki.len_bytes <= sizeof out->spki) {
        memcpy(out->spki, spki.data, spki.len_bytes);
        out->spki_len_bytes = (uint16_t)spki.len_bytes;
    }
    if (certificate.len_bytes != 0 && certificate.len_bytes <= sizeof out->certificate) {
        memcpy(out->certificate, certificate.data, certificate.len_bytes);
        out->certificate_len_bytes = (uint16_t)certificate.len_bytes;
    }
}

void ledger_certificate_bytes(struct ledger_certificate *out, struct hr_bytes key,
                              struct hr_bytes certificate)
{
    if (key.len_bytes == sizeof out->key) {
        memcpy(out->key, key.data, key.len_bytes);
    }
    if (certificate.len_bytes != 0 && certificate.len_bytes <= sizeof out->certificate) {
        memcpy(out->certificate, certificate.data, certificate.len_bytes);
        out->certificate_len_bytes = (uint16_t)certificate.len_bytes;
    }
}

void ledger_certificate_keep(void *ctx, const struct ledger_certificate *row)
{
    *(struct ledger_certificate *)ctx = *row;
}
