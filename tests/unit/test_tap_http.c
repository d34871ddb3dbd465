/* SPDX-License-Identifier: Apache-2.0
 *
 * What the HTTP tap makes of bodies and secrets. The requests themselves are tests/system/test_http_tap.py's.
 */
#include "firmware/taps/document/document.h"
#include "firmware/taps/http/http_internal.h"
#include "proto/base/assert.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

/* ---- documents ---- */

/* Gives all records of the document; returns the bytes that the chunks carry, and how many. */
static size_t take_chunks(struct tap_document *document, uint8_t *out, size_t capacity_bytes)
{
    struct edge_record record;
    size_t len_bytes = 0;
    assert_ok(tap_document_next(document, &record));
    assert_int_equal(record.kind, EDGE_DOCUMENT);
    assert_memory_equal(&record.as.document, &document->head, sizeof document->head);
    for (uint32_t i = 0; i < document->head.n_chunks; i++) {
        uint8_t encoded[EDGE_RECORD_MAX_BYTES];
        size_t encoded_bytes = 0;
        assert_ok(tap_document_next(document, &record));
        assert_int_equal(record.kind, EDGE_CHUNK);
        assert_int_equal(record.as.chunk.index, i);
        assert_int_equal(record.as.chunk.document_id, document->head.document_id);
        bool is_last = i + 1 == document->head.n_chunks;
        assert_true(is_last || record.as.chunk.len_bytes == EDGE_CHUNK_MAX_BYTES);
        assert_true(record.as.chunk.len_bytes > 0 && len_bytes + record.as.chunk.len_bytes <= capacity_bytes);
        record.dt_ms = UINT32_MAX;
        assert_ok(edge_record_encode(&record, encoded, sizeof encoded, &encoded_bytes));
        memcpy(out + len_bytes, record.as.chunk.data, record.as.chunk.len_bytes);
        len_bytes += record.as.chunk.len_bytes;
    }
    assert_code(tap_document_next(document, &record), HR_CLOSED);
    assert_code(tap_document_next(document, &record), HR_CLOSED);
    return len_bytes;
}

static void bodies_of_every_length_come_back_from_their_chunks(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 255, 256, 1023, 1024, 1025, 2048, 2049, 70000};
    static uint8_t body[70000];
    static uint8_t carried[70000];
    static uint8_t unpacked[70000];
    for (size_t i = 0; i < sizeof body; i++) {
        body[i] = (uint8_t)("0123,.\n"[i * i % 7]);
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(lengths); i++) {
        struct tap_document document = {.head.document_id = 7};
        uint8_t sha256[WIRE_DIGEST_BYTES];
        struct hr_bytes bytes = hr_bytes_of(body, lengths[i]);
        tap_document_pack(&document, bytes, test_hash());
        wire_sha256(test_hash(), &bytes, 1, sha256);
        assert_memory_equal(document.head.sha256, sha256, sizeof sha256);
        assert_int_equal(document.head.len_bytes, lengths[i]);
        size_t n_carried = take_chunks(&document, carried, sizeof carried);
        if (document.head.encoding == TAP_ZSTD) {
            assert_true(lengths[i] >= 256 && n_carried < lengths[i]);
            n_carried = ZSTD_decompress(unpacked, sizeof unpacked, carried, n_carried);
            memcpy(carried, unpacked, lengths[i]);
        } else {
            assert_true(lengths[i] < 256);
        }
        assert_int_equal(n_carried, lengths[i]);
        assert_memory_equal(carried, body, lengths[i]);
        tap_document_free(&document);
    }
}

static void archives_and_noise_go_as_they_came(void **state)
{
    (void)state;
    static const char *const magics[] = {"PK\x03\x04", "\x1F\x8B\x08", "\x28\xB5\x2F\xFD", "BZh9",
                                         "\3757zXZ"};
    uint8_t body[4096];
    for (size_t i = 0; i < HR_ARRAY_LEN(magics); i++) {
        struct tap_document document = {.head.document_id = 1};
        memset(body, 'a', sizeof body);
        memcpy(body, magics[i], strlen(magics[i]));
        tap_document_pack(&document, hr_bytes_of(body, sizeof body), test_hash());
        assert_int_equal(document.head.encoding, TAP_AS_RECEIVED);
        assert_int_equal(document.head.n_chunks, 4);
        assert_ptr_equal(document.packed.data, body);
        tap_document_free(&document);
    }
    uint32_t noise = 1;
    for (size_t i = 0; i < sizeof body; i++) {
        noise = noise * 1664525u + 1013904223u;
        body[i] = (uint8_t)(noise >> 24);
    }
    struct tap_document document = {.head.document_id = 1};
    tap_document_pack(&document, hr_bytes_of(body, sizeof body), test_hash());
    assert_int_equal(document.head.encoding, TAP_AS_RECEIVED);
    tap_document_free(&document);
}

static void text_of_strangers_is_made_printable(void **state)
{
    (void)state;
    char out[8];
    tap_text_copy(out, sizeof out, "a\r\n\x1B\xFFz");
    assert_string_equal(out, "a????z");
    tap_text_copy(out, sizeof out, "1234567890");
    assert_string_equal(out, "1234567");
}

/* ---- secrets ---- */

static void write_secret(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void a_header_carries_the_secret_of_its_file(void **state)
{
    (void)state;
    struct temp_folder folder;
    char path[2 * TEMP_PATH_CHARS];
    char line[HEADER_LINE_CAPACITY];
    temp_folder_make(&folder);
    (void)temp_folder_file(&folder, "key", path);
    struct feeds_header header = {.name = "X-Key", .credential = "key"};

    write_secret(path, "s3cret\r\n", 0600);
    assert_ok(http_secret_header(folder.path, &header, line));
    assert_string_equal(line, "X-Key: s3cret");
    write_secret(path, "renewed", 0440); /* the next request has the next secret */
    memcpy(header.prefix, "Bearer ", 8);
    assert_ok(http_secret_header(folder.path, &header, line));
    assert_string_equal(line, "X-Key: Bearer renewed");
    /* RFC 7617, section 2. */
    header = (struct feeds_header){
        .name = "Authorization", .prefix = "Basic ", .credential = "key", .encoding = FEEDS_BASE64};
    write_secret(path, "Aladdin:open sesame\n", 0400);
    assert_ok(http_secret_header(folder.path, &header, line));
    assert_string_equal(line, "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    write_secret(path, "a:bc", 0600);
    assert_ok(http_secret_header(folder.path, &header, line));
    assert_string_equal(line, "Authorization: Basic YTpiYw==");
    write_secret(path, "a:bcd", 0600);
    assert_ok(http_secret_header(folder.path, &header, line));
    assert_string_equal(line, "Authorization: Basic YTpiY2Q=");
    temp_folder_remove(&folder);
}

static void a_secret_that_is_none_is_refused(void **state)
{
    (void)state;
    struct temp_folder folder;
    char path[2 * TEMP_PATH_CHARS];
    char line[HEADER_LINE_CAPACITY];
    char longest[SECRET_CAPACITY + 1];
    const struct feeds_header header = {.name = "X-Key", .credential = "key"};
    temp_folder_make(&folder);
    (void)temp_folder_file(&folder, "key", path);
    assert_code(http_secret_header(folder.path, &header, line), HR_NOT_FOUND);
    assert_code(http_secret_header(NULL, &header, line), HR_NOT_FOUND);
    write_secret(path, "s3cret", 0644);
    assert_code(http_secret_header(folder.path, &header, line), HR_DENIED);
    assert_int_equal(remove(path), 0);
    write_secret(path, "\n", 0600);
    assert_code(http_secret_header(folder.path, &header, line), HR_NOT_FOUND);
    /* A line end within would be a header of its own. */
    write_secret(path, "a\r\nX-Other: b", 0600);
    assert_code(http_secret_header(folder.path, &header, line), HR_NOT_FOUND);
    memset(longest, 'a', sizeof longest);
    longest[SECRET_CAPACITY - 1] = '\0';
    write_secret(path, longest, 0600);
    assert_code(http_secret_header(folder.path, &header, line), HR_NOT_FOUND);
    longest[SECRET_CAPACITY - 2] = '\0';
    write_secret(path, longest, 0600);
    assert_ok(http_secret_header(folder.path, &header, line));
    temp_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_of_every_length_come_back_from_their_chunks),
        cmocka_unit_test(archives_and_noise_go_as_they_came),
        cmocka_unit_test(text_of_strangers_is_made_printable),
        cmocka_unit_test(a_header_carries_the_secret_of_its_file),
        cmocka_unit_test(a_secret_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
