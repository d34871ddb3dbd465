/* SPDX-License-Identifier: Apache-2.0
 *
 * What the HTTP tap makes of bodies and secrets. The requests themselves are tests/system/test_http_tap.py's.
 */
#include "firmware/crypto/hash_stream.h"
#include "firmware/taps/document/document.h"
#include "firmware/taps/http/http_internal.h"
#include "proto/base/assert.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
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

/* Brings the body as a network would: in pieces of `piece_bytes`. */
static void bring(struct tap_document *document, const char *folder, struct hr_bytes body, size_t piece_bytes)
{
    tap_document_begin(document, folder, crypto_hash_stream());
    for (size_t at = 0; at < body.len_bytes; at += piece_bytes) {
        size_t left_bytes = body.len_bytes - at;
        size_t len_bytes = left_bytes < piece_bytes ? left_bytes : piece_bytes;
        assert_ok(tap_document_add(document, hr_bytes_of(body.data + at, len_bytes)));
    }
    assert_ok(tap_document_end(document));
}

static void bodies_of_every_length_come_back_from_their_chunks(void **state)
{
    (void)state;
    static const size_t lengths[] = {0,    1,    255,  256,  1023,  1024,   1025,
                                     2048, 4095, 4096, 4097, 70000, 1000000};
    static const size_t pieces[] = {1000, 4096, 16384, 1000000};
    static uint8_t body[1000000];
    static uint8_t carried[1000000];
    static uint8_t unpacked[1000000];
    struct temp_folder folder;
    temp_folder_make(&folder);
    for (size_t i = 0; i < sizeof body; i++) {
        body[i] = (uint8_t)("0123,.\n"[i * i % 7]);
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(lengths) * HR_ARRAY_LEN(pieces); i++) {
        struct tap_document document = {.head.document_id = 7};
        uint8_t sha256[WIRE_DIGEST_BYTES];
        struct hr_bytes bytes = hr_bytes_of(body, lengths[i / HR_ARRAY_LEN(pieces)]);
        bring(&document, folder.path, bytes, pieces[i % HR_ARRAY_LEN(pieces)]);
        wire_sha256(test_hash(), &bytes, 1, sha256);
        assert_memory_equal(document.head.sha256, sha256, sizeof sha256);
        assert_int_equal(document.head.len_bytes, bytes.len_bytes);
        size_t n_carried = take_chunks(&document, carried, sizeof carried);
        if (document.head.encoding == TAP_ZSTD) {
            assert_true(bytes.len_bytes >= 256 && n_carried < bytes.len_bytes);
            n_carried = ZSTD_decompress(unpacked, sizeof unpacked, carried, n_carried);
            memcpy(carried, unpacked, bytes.len_bytes);
        } else {
            assert_true(bytes.len_bytes < 256);
        }
        assert_int_equal(n_carried, bytes.len_bytes);
        assert_memory_equal(carried, body, bytes.len_bytes);
        tap_document_free(&document);
    }
    assert_int_equal(rmdir(folder.path), 0); /* the files had no names */
}

static void archives_and_noise_go_as_they_came(void **state)
{
    (void)state;
    static const char *const magics[] = {"PK\x03\x04", "\x1F\x8B\x08", "\x28\xB5\x2F\xFD", "BZh9",
                                         "\3757zXZ"};
    static uint8_t body[20000];
    static uint8_t carried[20000];
    static const size_t lengths[] = {4096, 20000};
    struct temp_folder folder;
    temp_folder_make(&folder);
    for (size_t i = 0; i < HR_ARRAY_LEN(lengths) * (HR_ARRAY_LEN(magics) + 1); i++) {
        struct tap_document document = {.head.document_id = 1};
        size_t len_bytes = lengths[i % HR_ARRAY_LEN(lengths)];
        size_t kind = i / HR_ARRAY_LEN(lengths);
        uint32_t noise = 1;
        for (size_t k = 0; k < sizeof body; k++) {
            noise = noise * 1664525u + 1013904223u;
            body[k] = kind == HR_ARRAY_LEN(magics) ? (uint8_t)(noise >> 24) : 'a';
        }
        if (kind < HR_ARRAY_LEN(magics)) {
            memcpy(body, magics[kind], strlen(magics[kind]));
        }
        bring(&document, folder.path, hr_bytes_of(body, len_bytes), 1500);
        assert_int_equal(document.head.encoding, TAP_AS_RECEIVED);
        assert_int_equal(document.head.n_chunks, (len_bytes + 1023) / 1024);
        assert_int_equal(take_chunks(&document, carried, sizeof carried), len_bytes);
        assert_memory_equal(carried, body, len_bytes);
        tap_document_free(&document);
    }
    temp_folder_remove(&folder);
}

static void a_folder_that_takes_no_file_is_told(void **state)
{
    (void)state;
    static uint8_t body[TAP_DOCUMENT_FIRST_BYTES + 1];
    struct tap_document document = {.head.document_id = 1};
    tap_document_begin(&document, "/nonexistent/folder", crypto_hash_stream());
    assert_ok(tap_document_add(&document, hr_bytes_of(body, TAP_DOCUMENT_FIRST_BYTES)));
    assert_code(tap_document_add(&document, hr_bytes_of(body, 1)), HR_IO);
    assert_int_equal(errno, ENOENT);
    tap_document_free(&document);
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
        cmocka_unit_test(a_folder_that_takes_no_file_is_told),
        cmocka_unit_test(text_of_strangers_is_made_printable),
        cmocka_unit_test(a_header_carries_the_secret_of_its_file),
        cmocka_unit_test(a_secret_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
