/* SPDX-License-Identifier: Apache-2.0
 *
 * Parameters and columns in the server's binary formats: integers big-endian, bytea and text as they are. */
#include "aggregator/ledger/postgres/link.h"
#include "proto/base/assert.h"
#include "proto/base/cursor.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static void put(struct ledger_pg_params *params, const void *value, size_t len_bytes, int format)
{
    HR_ASSERT(params->n < LEDGER_PG_MAX_PARAMS && len_bytes <= INT_MAX);
    params->values[params->n] = value;
    params->lengths[params->n] = (int)len_bytes;
    params->formats[params->n] = format;
    params->n++;
}

void ledger_pg_put_u64(struct ledger_pg_params *params, uint64_t value)
{
    HR_ASSERT(params->n < LEDGER_PG_MAX_PARAMS);
    uint8_t *number = params->numbers[params->n];
    struct hr_writer writer = hr_writer_over(number, sizeof params->numbers[0]);
    hr_write_u64(&writer, value);
    put(params, number, sizeof params->numbers[0], 1);
}

void ledger_pg_put_bytes(struct ledger_pg_params *params, struct hr_bytes bytes)
{
    /* An empty value, not NULL, for no bytes. */
    put(params, bytes.data == NULL ? (const uint8_t *)"" : bytes.data, bytes.len_bytes, 1);
}

void ledger_pg_put_text(struct ledger_pg_params *params, const char *text)
{
    put(params, text, strlen(text), 0);
}

struct hr_bytes ledger_pg_bytes(const PGresult *result, int row, int column)
{
    int len_bytes = PQgetlength(result, row, column);
    return hr_bytes_of(PQgetvalue(result, row, column), len_bytes > 0 ? (size_t)len_bytes : 0);
}

uint64_t ledger_pg_u64(const PGresult *result, int row, int column)
{
    struct hr_bytes bytes = ledger_pg_bytes(result, row, column);
    struct hr_reader reader = hr_reader_over(bytes);
    return bytes.len_bytes == sizeof(uint32_t) ? hr_read_u32(&reader) : hr_read_u64(&reader);
}

uint32_t ledger_pg_u32(const PGresult *result, int row, int column)
{
    return (uint32_t)ledger_pg_u64(result, row, column);
}

void ledger_pg_text(const PGresult *result, int row, int column, char *out, size_t capacity_bytes)
{
    struct hr_bytes bytes = ledger_pg_bytes(result, row, column);
    size_t len_bytes = bytes.len_bytes < capacity_bytes ? bytes.len_bytes : capacity_bytes - 1;
    memcpy(out, bytes.data, len_bytes);
    out[len_bytes] = '\0';
}
