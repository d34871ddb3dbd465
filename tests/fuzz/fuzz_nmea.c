/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes into the AIS tap. Each message that comes out must be one that a record can hold and that prints
 * and reads back the same, and the result must not hang on how the bytes were cut. The first byte says how to
 * cut. */
#include "firmware/taps/ais/tap_ais.h"
#include "proto/base/assert.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

enum { SEEN = 16, INPUT_MAX_BYTES = 1 << 16 };

struct side {
    struct tap_ais tap;
    struct tap_ais_stream stream;
    struct tap_ais_seen duplicates[SEEN];
    struct tap_ais_seen vessels[SEEN];
    uint64_t n_messages;
};

static struct side whole;
static struct side cut;
static struct tap_ais back;
static struct tap_ais_stream back_stream;

static void expect(void *ctx, const struct edge_ais *ais, uint64_t uptime_ms)
{
    const struct edge_ais *sent = ctx;
    (void)uptime_ms;
    HR_ASSERT(ais->payload_chars == sent->payload_chars && ais->fill_bits == sent->fill_bits);
    HR_ASSERT(memcmp(ais->payload, sent->payload, (sent->payload_chars * 6U + 7) / 8) == 0);
    HR_ASSERT(ais->channel == sent->channel && ais->own_ship == sent->own_ship);
    HR_ASSERT(memcmp(ais->talker, sent->talker, sizeof ais->talker) == 0);
}

static void check_print(const struct edge_ais *ais)
{
    struct edge_ais sent = *ais;
    char line[TAP_AIS_SENTENCE_MAX_BYTES];
    tap_ais_init(&back, &(struct tap_ais_config){0}, &(struct tap_ais_sink){expect, &sent});
    tap_ais_stream_init(&back_stream, 0);
    for (uint8_t part = 1; part <= tap_ais_parts(ais); part++) {
        size_t len = tap_ais_print(ais, part, 9, line);
        tap_ais_feed(&back, &back_stream, hr_bytes_of(line, len), 0);
    }
    HR_ASSERT(back.counter[TAP_AIS_MESSAGES] == 1);
}

static void hear(void *ctx, const struct edge_ais *ais, uint64_t uptime_ms)
{
    struct side *side = ctx;
    struct edge_record record = {.kind = EDGE_AIS, .as.ais = *ais};
    uint8_t bytes[EDGE_AIS_RECORD_MAX_BYTES];
    size_t len = 0;
    (void)uptime_ms;
    side->n_messages++;
    HR_ASSERT(hr_is_ok(edge_record_encode(&record, bytes, sizeof bytes, &len)));
    check_print(ais);
}

static void start(struct side *side)
{
    const struct tap_ais_config config = {
        .duplicates = {1000, SEEN, side->duplicates},
        .downsample = {2000, SEEN, side->vessels},
    };
    side->n_messages = 0;
    tap_ais_init(&side->tap, &config, &(struct tap_ais_sink){hear, side});
    tap_ais_stream_init(&side->stream, 0);
}

/* Writes the sum of what stands between each '!' or backslash and the next '*' behind that '*'. */
static struct hr_bytes mend_checksums(struct hr_bytes bytes)
{
    static const char DIGIT[] = "0123456789ABCDEF";
    static uint8_t mended[INPUT_MAX_BYTES];
    uint8_t sum = 0;
    size_t len = bytes.len_bytes < sizeof mended ? bytes.len_bytes : sizeof mended;
    memcpy(mended, bytes.data, len);
    for (size_t i = 0; i < len; i++) {
        if (mended[i] == '*' && len - i > 2) {
            mended[i + 1] = (uint8_t)DIGIT[sum >> 4];
            mended[i + 2] = (uint8_t)DIGIT[sum & 15];
        }
        sum = mended[i] == '!' || mended[i] == '\\' ? 0 : sum ^ mended[i];
    }
    return hr_bytes_of(mended, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    if (len_bytes < 1) {
        return 0;
    }
    size_t piece = 1U + (data[0] & 0x7F);
    struct hr_bytes bytes = hr_bytes_of(data + 1, len_bytes - 1);
    if ((data[0] & 0x80) != 0) {
        bytes = mend_checksums(bytes);
    }
    start(&whole);
    tap_ais_feed(&whole.tap, &whole.stream, bytes, 0);
    tap_ais_end_stream(&whole.tap, &whole.stream, 0);

    start(&cut);
    for (size_t at = 0; at < bytes.len_bytes; at += piece) {
        size_t len = bytes.len_bytes - at < piece ? bytes.len_bytes - at : piece;
        tap_ais_feed(&cut.tap, &cut.stream, hr_bytes_of(bytes.data + at, len), 0);
    }
    tap_ais_end_stream(&cut.tap, &cut.stream, 0);

    HR_ASSERT(whole.n_messages == cut.n_messages && whole.n_messages == whole.tap.counter[TAP_AIS_MESSAGES]);
    HR_ASSERT(memcmp(whole.tap.counter, cut.tap.counter, sizeof whole.tap.counter) == 0);
    return 0;
}
