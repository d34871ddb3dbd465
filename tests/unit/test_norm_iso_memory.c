/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that is not there while a document is unpacked or parsed says nothing about the document: nothing is
 * told, and the same bytes are whole when they come again. The libraries' calls that allocate fail one by
 * one. */
#include "aggregator/normalize/iso/normalizer.h"
#include "aggregator/normalize/norm.h"
#include "tests/support/batch_maker.h"
#include "tests/support/iso_lab.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

static uint32_t n_calls;
static uint32_t failing; /* the call that finds no memory, from 1 on; 0: none */
static bool has_failed_xml;

static bool fails(void)
{
    return ++n_calls == failing;
}

int __real_inflateInit2_(z_stream *stream, int bits, const char *version, int size);
int __wrap_inflateInit2_(z_stream *stream, int bits, const char *version, int size);
int __wrap_inflateInit2_(z_stream *stream, int bits, const char *version, int size)
{
    return fails() ? Z_MEM_ERROR : __real_inflateInit2_(stream, bits, version, size);
}

int __real_inflate(z_stream *stream, int flush);
int __wrap_inflate(z_stream *stream, int flush);
int __wrap_inflate(z_stream *stream, int flush)
{
    return fails() ? Z_MEM_ERROR : __real_inflate(stream, flush);
}

XML_Parser __real_XML_ParserCreate(const XML_Char *encoding);
XML_Parser __wrap_XML_ParserCreate(const XML_Char *encoding);
XML_Parser __wrap_XML_ParserCreate(const XML_Char *encoding)
{
    return fails() ? NULL : __real_XML_ParserCreate(encoding);
}

enum XML_Status __real_XML_Parse(XML_Parser parser, const char *bytes, int len, int is_last);
enum XML_Status __wrap_XML_Parse(XML_Parser parser, const char *bytes, int len, int is_last);
enum XML_Status __wrap_XML_Parse(XML_Parser parser, const char *bytes, int len, int is_last)
{
    has_failed_xml = fails();
    return has_failed_xml ? XML_STATUS_ERROR : __real_XML_Parse(parser, bytes, len, is_last);
}

enum XML_Error __real_XML_GetErrorCode(XML_Parser parser);
enum XML_Error __wrap_XML_GetErrorCode(XML_Parser parser);
enum XML_Error __wrap_XML_GetErrorCode(XML_Parser parser)
{
    return has_failed_xml ? XML_ERROR_NO_MEMORY : __real_XML_GetErrorCode(parser);
}

size_t __real_ZSTD_decompress(void *out, size_t capacity, const void *in, size_t len);
size_t __wrap_ZSTD_decompress(void *out, size_t capacity, const void *in, size_t len);
size_t __wrap_ZSTD_decompress(void *out, size_t capacity, const void *in, size_t len)
{
    /* As zstd gives an error back: its number, negative (zstd_errors.h). */
    return fails() ? (size_t)-ZSTD_error_memory_allocation : __real_ZSTD_decompress(out, capacity, in, len);
}

/* Each call that may fail fails once; then the document is read as if nothing had been. */
static void sweep(const char *feed, const char *name, struct hr_bytes body, size_t n_rows)
{
    failing = 0;
    n_calls = 0;
    iso_lab_read(feed, name, body);
    uint32_t n_all = n_calls;
    assert_true(n_all >= 2);
    for (uint32_t which = 1; which <= n_all; which++) {
        n_calls = 0;
        failing = which;
        iso_lab_read(feed, name, body);
        assert_true(n_calls >= which);
        assert_int_equal(iso_lab.result.code, HR_AGAIN);
        assert_int_equal(iso_lab.n_anomalies, 0);
        failing = 0;
        iso_lab_read(feed, name, body);
        assert_int_equal(iso_lab.result.code, HR_OK);
        assert_int_equal(iso_lab.n_rows, n_rows);
        assert_int_equal(iso_lab.n_anomalies, 0);
    }
}

#define SPP "Interval,GMTIntervalEnd,Settlement Location,Pnode,LMP,MLC,MCC,MEC\n"
static const char CSV[] = SPP "x,03/31/2025 14:00:00,A,P,28.5,-0.5,1,28\n";

static void a_zip_is_read_again(void **state)
{
    static uint8_t zip[4096];
    const char *const names[] = {"a.csv", "b.csv"};
    const struct hr_bytes members[] = {hr_bytes_of(CSV, sizeof CSV - 1), hr_bytes_of(SPP, sizeof SPP - 1)};
    (void)state;
    size_t len = iso_lab_zip(names, members, 2, zip, sizeof zip);
    sweep("spp_rt_lmp", "rows.zip", hr_bytes_of(zip, len), 1);
}

static void a_gzip_body_is_read_again(void **state)
{
    static uint8_t packed[4096];
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)CSV,
                       .avail_in = sizeof CSV - 1,
                       .next_out = packed,
                       .avail_out = sizeof packed};
    (void)state;
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t len = sizeof packed - stream.avail_out;
    (void)deflateEnd(&stream);
    sweep("spp_rt_lmp", "rows.gz", hr_bytes_of(packed, len), 1);
}

static void an_xml_is_read_again(void **state)
{
    static const char xml[] =
        "<?xml version=\"1.0\"?><OASISReport><MessagePayload><RTO><name>CAISO</name>"
        "<REPORT_ITEM><REPORT_HEADER><REPORT>PRC_LMP</REPORT><UOM>US$/MWh</UOM></REPORT_HEADER>"
        "<REPORT_DATA><DATA_ITEM>LMP_PRC</DATA_ITEM><RESOURCE_NAME>N1</RESOURCE_NAME>"
        "<OPR_DATE>2026-03-01</OPR_DATE><INTERVAL_NUM>1</INTERVAL_NUM>"
        "<INTERVAL_START_GMT>2026-03-01T08:00:00-00:00</INTERVAL_START_GMT>"
        "<INTERVAL_END_GMT>2026-03-01T09:00:00-00:00</INTERVAL_END_GMT><VALUE>31.5</VALUE></REPORT_DATA>"
        "</REPORT_ITEM></RTO></MessagePayload></OASISReport>";
    (void)state;
    sweep("caiso_da_lmp", "prices.xml", hr_bytes_of(xml, sizeof xml - 1), 1);
}

/* ---- as events ---- */

static void count_event(void *ctx, const struct norm_event *event)
{
    uint32_t *n_events = ctx;
    (void)event;
    (*n_events)++;
}

static uint32_t events_of(struct norm_iso_normalizer *iso, const struct ledger_batch *batch,
                          struct hr_status *trouble)
{
    const struct normalizer *const normalizers[] = {&iso->normalizer};
    uint32_t n_events = 0;
    const struct norm_emit emit = {count_event, &n_events};
    struct norm_input input = {.batch = batch, .tenant = "", .trouble = trouble};
    assert_ok(wire_envelope_split(batch->envelope, &input.envelope));
    (void)norm_batch(normalizers, 1, &input, &emit);
    return n_events;
}

static void a_document_packed_by_the_gateway_comes_again(void **state)
{
    static struct norm_iso_normalizer iso;
    static struct edge_record records[2];
    static struct made_batch made;
    static const uint8_t none[WIRE_DIGEST_BYTES];
    struct batch_maker maker;
    struct norm_iso_config config = {
        .zones = &iso_lab_zones, .hash = test_hash(), .memory = calloc(1, norm_iso_memory_bytes())};
    (void)state;
    assert_non_null(config.memory);
    norm_iso_init(&iso, &config);
    const struct hr_bytes body = hr_bytes_of(CSV, sizeof CSV - 1);
    records[0].kind = EDGE_DOCUMENT;
    records[0].as.document = (struct edge_document){.document_id = 1,
                                                    .feed = "spp_rt_lmp",
                                                    .http_status = 200,
                                                    .len_bytes = (uint32_t)body.len_bytes,
                                                    .n_chunks = 1,
                                                    .encoding = 1};
    wire_sha256(test_hash(), &body, 1, records[0].as.document.sha256);
    records[1].kind = EDGE_CHUNK;
    struct edge_chunk *chunk = &records[1].as.chunk;
    *chunk = (struct edge_chunk){.document_id = 1};
    chunk->len_bytes = (uint16_t)ZSTD_compress(chunk->data, sizeof chunk->data, body.data, body.len_bytes, 3);
    batch_maker_start(&maker, 7, 0, none);
    batch_maker_next(&maker, records, 2, 0, &made);
    const struct ledger_batch batch = {.device_id = 7, .envelope = hr_bytes_of(made.bytes, made.len_bytes)};
    struct hr_status trouble = hr_ok();
    n_calls = 0;
    failing = 1;
    assert_int_equal(events_of(&iso, &batch, &trouble), 0);
    assert_true(hr_is(trouble, HR_AGAIN));
    assert_int_equal(iso.counts.broken, 0);
    assert_int_equal(iso.counts.documents[NORM_DOCUMENT_CONTENT], 0);
    failing = 0;
    trouble = hr_ok();
    assert_int_equal(events_of(&iso, &batch, &trouble), 1);
    assert_ok(trouble);
    assert_int_equal(iso.counts.anomalies, 0);
    assert_int_equal(iso.counts.documents[NORM_DOCUMENT_CONTENT], 1);
    assert_int_equal(iso.counts.rows, 1);
    free(config.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zip_is_read_again),
        cmocka_unit_test(a_gzip_body_is_read_again),
        cmocka_unit_test(an_xml_is_read_again),
        cmocka_unit_test(a_document_packed_by_the_gateway_comes_again),
    };
    return cmocka_run_group_tests(tests, iso_lab_start, iso_lab_stop);
}
