/* SPDX-License-Identifier: Apache-2.0
 *
 * The tap against recorded feeds and what two other decoders made of them (pyais, gpsdecode):
 * HEADRACE_CORPUS, or
 * ../shared/corpus beside the repository. Skipped when there is none. */
#include "firmware/taps/ais/tap_ais.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGES_MAX = 50000, LINE_MAX_BYTES = 8192, SKIPPED = 77 };

/* What tells one message from another. */
struct said {
    uint8_t type;
    uint32_t mmsi;
    uint16_t payload_chars;
    uint8_t first[21]; /* of the payload */
};

struct heard {
    struct tap_ais tap;
    struct tap_ais_stream stream;
    struct edge_ais last;
    size_t n;
    struct said said[MESSAGES_MAX];
};

static struct heard a;
static struct heard b;
static struct heard back;
static const char *corpus;

static void hear(void *ctx, const struct edge_ais *ais, uint64_t uptime_ms)
{
    (void)uptime_ms;
    struct heard *heard = ctx;
    assert_true(heard->n < MESSAGES_MAX);
    const uint8_t *p = ais->payload;
    struct said *said = &heard->said[heard->n++];
    size_t n_bytes = (ais->payload_chars * 6U + 7) / 8;
    memset(said, 0, sizeof *said);
    memcpy(said->first, p, n_bytes < sizeof said->first ? n_bytes : sizeof said->first);
    said->payload_chars = ais->payload_chars;
    said->type = said->first[0] >> 2;
    said->mmsi = ((uint32_t)said->first[1] << 24 | (uint32_t)said->first[2] << 16 |
                  (uint32_t)said->first[3] << 8 | said->first[4]) >>
                 2;
    heard->last = *ais;
}

static void start(struct heard *heard)
{
    tap_ais_init(&heard->tap, &(struct tap_ais_config){0}, &(struct tap_ais_sink){hear, heard});
    tap_ais_stream_init(&heard->stream, 0);
    heard->n = 0;
}

static void feed(struct heard *heard, const char *text)
{
    tap_ais_feed(&heard->tap, &heard->stream, hr_bytes_of(text, strlen(text)), 0);
}

static FILE *open_log(const char *name, const char *ending)
{
    char path[1024];
    assert_true((size_t)snprintf(path, sizeof path, "%s/ais/%s%s", corpus, name, ending) < sizeof path);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("%s is missing from the corpus", path);
    }
    return file;
}

/* Prints what was heard last and reads that again. */
static void check_round_trip(const struct heard *heard)
{
    const struct edge_ais *ais = &heard->last;
    struct edge_record record = {.kind = EDGE_AIS, .as.ais = *ais};
    uint8_t bytes[EDGE_AIS_RECORD_MAX_BYTES];
    size_t len = 0;
    assert_ok(edge_record_encode(&record, bytes, sizeof bytes, &len));
    char line[TAP_AIS_SENTENCE_MAX_BYTES];
    start(&back);
    for (uint8_t part = 1; part <= tap_ais_parts(ais); part++) {
        (void)tap_ais_print(ais, part, 3, line);
        feed(&back, line);
    }
    assert_int_equal(back.n, 1);
    assert_int_equal(back.last.payload_chars, ais->payload_chars);
    assert_int_equal(back.last.fill_bits, ais->fill_bits);
    assert_int_equal(back.last.channel, ais->channel);
    assert_int_equal(back.last.own_ship, ais->own_ship);
    assert_memory_equal(back.last.talker, ais->talker, sizeof ais->talker);
    assert_memory_equal(back.last.payload, ais->payload, (ais->payload_chars * 6U + 7) / 8);
}

/* Feeds the log line by line, each message printed and read again. Returns how many lines it has. */
static size_t run_log(struct heard *heard, const char *name, const char *ending)
{
    static char line[LINE_MAX_BYTES];
    size_t n_lines = 0;
    FILE *file = open_log(name, ending);
    start(heard);
    while (fgets(line, sizeof line, file) != NULL) {
        size_t before = heard->n;
        n_lines++;
        feed(heard, line);
        if (heard->n > before) {
            check_round_trip(heard);
        }
    }
    (void)fclose(file);
    tap_ais_end_stream(&heard->tap, &heard->stream, 0);
    return n_lines;
}

static bool number_after(const char *text, const char *key, uint32_t *out)
{
    const char *at = strstr(text, key);
    if (at == NULL) {
        return false;
    }
    *out = (uint32_t)strtoul(at + strlen(key), NULL, 10);
    return true;
}

/* Whether the first sentence of a line of pyais' output has an empty payload, which pyais calls a message. */
static bool has_no_payload(const char *line)
{
    const char *at = strchr(line, '!');
    for (int comma = 0; comma < 5 && at != NULL; comma++) {
        at = strchr(at + 1, ',');
    }
    return at != NULL && at[1] == ',';
}

/* pyais joins and decodes everything: the same messages in the same order. */
static size_t compare_with_pyais(const char *name)
{
    static char line[LINE_MAX_BYTES];
    size_t n = 0;
    FILE *file = open_log(name, ".pyais.jsonl");
    while (fgets(line, sizeof line, file) != NULL) {
        uint32_t type = 0;
        uint32_t mmsi = 0;
        if (has_no_payload(line)) {
            continue;
        }
        assert_true(n < a.n);
        if (number_after(line, "\"msg_type\": ", &type)) {
            assert_int_equal(a.said[n].type, type);
        }
        if (number_after(line, "\"mmsi\": ", &mmsi)) {
            assert_int_equal(a.said[n].mmsi, mmsi);
        }
        n++;
    }
    (void)fclose(file);
    assert_int_equal(n, a.n);
    return n;
}

/* gpsdecode leaves out what it doesn't decode: all that it has, in the same order. */
static size_t compare_with_gpsdecode(const char *name)
{
    static char line[LINE_MAX_BYTES];
    size_t n = 0;
    size_t at = 0;
    FILE *file = open_log(name, ".gpsdecode_uj.jsonl");
    while (fgets(line, sizeof line, file) != NULL) {
        uint32_t type = 0;
        uint32_t mmsi = 0;
        assert_true(number_after(line, "\"type\":", &type) && number_after(line, "\"mmsi\":", &mmsi));
        while (at < a.n && (a.said[at].type != type || a.said[at].mmsi != mmsi)) {
            at++;
        }
        if (at == a.n) {
            fail_msg("%s: gpsdecode's message %zu (type %u of %u) is not there", name, n, type, mmsi);
        }
        at++;
        n++;
    }
    (void)fclose(file);
    return n;
}

/* Each message of the log without comments, prefixes and other sentences is also heard in the log with them.
 */
static void compare_with_raw_log(const char *raw_name)
{
    (void)run_log(&b, raw_name, "");
    size_t at = 0;
    for (size_t i = 0; i < a.n; i++) {
        while (at < b.n && memcmp(&a.said[i], &b.said[at], sizeof a.said[i]) != 0) {
            at++;
        }
        assert_true(at < b.n);
        at++;
    }
}

static void the_messages_are_those_that_pyais_and_gpsdecode_find(void **state)
{
    (void)state;
    static const struct {
        const char *derived;
        const char *raw;
    } LOG[] = {
        {"derived/aislib__stream_example", "aislib/stream_example.txt"},
        {"derived/gpsd__daemon__ais-18-27", "gpsd/daemon/ais-18-27.log"},
        {"derived/gpsd__daemon__ais-nmea", "gpsd/daemon/ais-nmea.log"},
        {"derived/gpsd__sample", "gpsd/sample.aivdm"},
        {"derived/libais__typeexamples", "libais/typeexamples.nmea"},
        {"derived/pyais__nmea_data_sample", "pyais/nmea_data_sample.txt"},
    };
    size_t n_pyais = 0;
    size_t n_gpsdecode = 0;
    for (size_t i = 0; i < sizeof LOG / sizeof LOG[0]; i++) {
        (void)run_log(&a, LOG[i].derived, ".clean.nmea");
        n_pyais += compare_with_pyais(LOG[i].derived);
        n_gpsdecode += compare_with_gpsdecode(LOG[i].derived);
        compare_with_raw_log(LOG[i].raw);
    }
    print_message("%zu messages as in pyais, %zu as in gpsdecode\n", n_pyais, n_gpsdecode);
    assert_true(n_pyais > 5000 && n_gpsdecode > 5000);
}

static void a_live_feed_passes_whole_and_prints_as_it_came(void **state)
{
    (void)state;
    static char line[LINE_MAX_BYTES];
    size_t n_lines = 0;
    size_t n_same = 0;
    FILE *file = open_log("live_feed_42k.nmea", "");
    start(&a);
    while (fgets(line, sizeof line, file) != NULL) {
        char printed[TAP_AIS_SENTENCE_MAX_BYTES];
        size_t before = a.n;
        n_lines++;
        feed(&a, line);
        if (a.n == before) {
            continue;
        }
        check_round_trip(&a);
        if (strncmp(line, "!AIVDM,1,1,,", 12) != 0 || tap_ais_parts(&a.last) != 1 ||
            strstr(line, ",6*") != NULL) {
            continue;
        }
        size_t len = tap_ais_print(&a.last, 1, 0, printed);
        assert_memory_equal(printed, line, len - 2);
        assert_int_equal(line[len - 2], '\n');
        n_same++;
    }
    (void)fclose(file);
    print_message("%zu lines, %zu messages, %zu printed as they came\n", n_lines, a.n, n_same);
    assert_int_equal(a.tap.counter[TAP_AIS_SENTENCES], n_lines);
    /* Two first parts of one message in the recording have no second between them, and one second no first.
     */
    assert_int_equal(a.tap.counter[TAP_AIS_PART_OUT_OF_ORDER], 1);
    assert_int_equal(a.tap.counter[TAP_AIS_ASSEMBLY_RESTARTED], 1);
    for (size_t i = TAP_AIS_OTHER_SENTENCES; i <= TAP_AIS_BAD_FILL; i++) {
        assert_int_equal(a.tap.counter[i], 0);
    }
    assert_true(n_same > 40000);
}

/* The comment before each line of this file says what Python made of the TAG block's checksum. */
static void tag_checksums_are_right_and_wrong_as_the_corpus_says(void **state)
{
    (void)state;
    static char line[LINE_MAX_BYTES];
    size_t n = 0;
    bool is_bad = false;
    FILE *file = open_log("derived/tag_blocks_from_unit_tests.nmea", "");
    start(&a);
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#') {
            is_bad = strstr(line, "tagchecksum=BAD") != NULL;
            continue;
        }
        uint64_t before = a.tap.counter[TAP_AIS_BAD_TAG_CHECKSUM];
        feed(&a, line);
        assert_int_equal(a.tap.counter[TAP_AIS_BAD_TAG_CHECKSUM] - before, is_bad);
        n++;
    }
    (void)fclose(file);
    print_message("%zu TAG blocks\n", n);
    assert_true(n > 100);
    assert_int_equal(a.tap.counter[TAP_AIS_MALFORMED_TAG], 0);
}

static void logs_without_decodes_lose_no_right_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t n_sentences; /* counted with grep and a checksum in Python */
    } LOG[] = {
        {"aislib/replay_dump.txt", 51},
        {"aislib/retry_example.txt", 11},
        {"aislib/small_example.txt", 1},
        {"gpsd/daemon/saab-r4.log", 14},
        {"pyais/ais_test_messages", 8},
        {"pyais/gatehouse.nmea", 4},
        {"ais-decoder/test_ais_data.log", 100},
        {"pyais/mixed.txt", 14},
        {"pyais/messages.ais", 6},
    };
    for (size_t i = 0; i < sizeof LOG / sizeof LOG[0]; i++) {
        (void)run_log(&a, LOG[i].name, "");
        assert_int_equal(a.tap.counter[TAP_AIS_SENTENCES], LOG[i].n_sentences);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_messages_are_those_that_pyais_and_gpsdecode_find),
        cmocka_unit_test(a_live_feed_passes_whole_and_prints_as_it_came),
        cmocka_unit_test(tag_checksums_are_right_and_wrong_as_the_corpus_says),
        cmocka_unit_test(logs_without_decodes_lose_no_right_sentence),
    };
    const char *given = getenv("HEADRACE_CORPUS");
    corpus = given != NULL ? given : "../shared/corpus";
    if (access(corpus, R_OK) != 0) {
        (void)printf("skipped: no corpus at %s (HEADRACE_CORPUS)\n", corpus);
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
