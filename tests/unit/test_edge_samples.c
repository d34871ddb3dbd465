/* SPDX-License-Identifier: Apache-2.0
 *
 * Channel and Samples: their ranges, and what a sample costs on its way. Their bytes are test_edge.c's. */
#include "proto/base/assert.h"
#include "proto/edge/record.h"
#include "tests/support/batch_maker.h"
#include "tests/support/edge_made.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_random.h"

#include <stdio.h>
#include <string.h>

static void expect_refused(const struct edge_record *record)
{
    uint8_t bytes[EDGE_RECORD_MAX_BYTES];
    size_t len_bytes = 4321;
    assert_code(edge_record_encode(record, bytes, sizeof bytes, &len_bytes), HR_MALFORMED);
    assert_int_equal(len_bytes, 4321);
}

static void channels_and_samples_out_of_their_ranges_are_refused(void **state)
{
    (void)state;
    struct edge_record wrong[19];
    size_t n = 0;
    for (; n < 12; n++) {
        wrong[n] = made_channel();
    }
    wrong[0].as.channel.channel = 0;
    wrong[1].as.channel.channel = EDGE_CHANNEL_MAX + 1;
    wrong[2].as.channel.device[0] = '\0';
    wrong[3].as.channel.point[0] = '\0';
    wrong[4].as.channel.model = 65536;
    wrong[5].as.channel.scale = EDGE_SCALE_MOST + 1;
    wrong[6].as.channel.scale = -EDGE_SCALE_MOST - 1;
    wrong[7].as.channel.kind = 0;
    wrong[8].as.channel.kind = EDGE_CHANNEL_BITFIELD + 1;
    wrong[9].as.channel.width_bits = 0;
    wrong[10].as.channel.width_bits = 65;
    wrong[11].as.channel.kind = EDGE_CHANNEL_MEASUREMENT; /* with a width */
    wrong[n] = made_channel();
    memset(wrong[n++].as.channel.unit, 'u', sizeof wrong[0].as.channel.unit);
    wrong[n] = made_channel();
    wrong[n++].as.channel.symbols[0] = '\n';
    for (; n < HR_ARRAY_LEN(wrong); n++) {
        wrong[n] = made_samples_with_holes();
    }
    wrong[14].as.samples.first_channel = 0;
    wrong[15].as.samples.n_values = 0;
    wrong[16].as.samples.n_values = EDGE_SAMPLES_MAX + 1;
    wrong[17].as.samples.first_channel = EDGE_CHANNEL_MAX - 1003; /* the last value's would be 65536 */
    wrong[18].as.samples.first_channel = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        expect_refused(&wrong[i]);
    }
}

/* What stands around an envelope on the wire, at most: headers of IPv6 and UDP; DTLS 1.2 with a connection id
 * of 8 bytes (RFC 9146 section 4), explicit nonce and tag of AES-GCM (RFC 5288); CoAP with a token of 8
 * bytes, Uri-Path "b", Content-Format 65001 and the marker (RFC 7252 section 3). */
enum {
    IP_UDP_BYTES = 40 + 8,
    DTLS_BYTES = 13 + 8 + 8 + 1 + 16,
    COAP_BYTES = 4 + 8 + 2 + 3 + 1,
    PACKET_BYTES = IP_UDP_BYTES + DTLS_BYTES + COAP_BYTES,
    ACK_BYTES = 29,
    N_SAMPLES = 89,
};

/* A poll of up to ten points of an inverter, as they are during the day: currents, voltages, powers, and a
 * counter of some MWh. */
static struct edge_record poll_of(struct test_random *random, uint32_t device, uint16_t n_values)
{
    static const uint32_t most[] = {4000, 2500, 30000, 60100, 30000, 10000, 90000000, 800, 7, 2};
    struct edge_record record = {.dt_ms = test_random_below(random, 9000), .kind = EDGE_SAMPLES};
    record.as.samples.first_channel = 1 + device * 10;
    record.as.samples.n_values = n_values;
    for (uint16_t i = 0; i < n_values; i++) {
        record.as.samples.value[i] = test_random_below(random, most[i]);
        record.as.samples.skip[i] = 0;
    }
    return record;
}

static void batch_of_89_samples_costs_less_than_ten_bytes_a_sample(void **state)
{
    static const uint8_t none[WIRE_DIGEST_BYTES];
    static struct batch_maker maker;
    static struct made_batch made;
    struct edge_record records[9];
    struct test_random random = test_random_start(20261122);
    size_t most_bytes = 0;
    (void)state;
    batch_maker_start(&maker, 1, 0, none);
    for (uint32_t round = 0; round < 200; round++) {
        for (uint32_t i = 0; i < 9; i++) {
            records[i] = poll_of(&random, (round + i) % 20, i < 8 ? 10 : 9);
        }
        if (round % 2 == 1) { /* report by exception leaves holes: one behind the first value of each poll */
            for (uint32_t i = 0; i < 9; i++) {
                records[i].as.samples.skip[1] = 1;
            }
        }
        batch_maker_next(&maker, records, 9, 0, &made);
        size_t bytes = made.len_bytes + PACKET_BYTES + ACK_BYTES + PACKET_BYTES;
        most_bytes = bytes > most_bytes ? bytes : most_bytes;
    }
    (void)printf("%.2f bytes a sample at most, of them %.2f for signature, headers and ack\n",
                 (double)most_bytes / (double)N_SAMPLES,
                 (double)((int)WIRE_PREFIX_BYTES + 2 * (int)PACKET_BYTES + (int)ACK_BYTES) /
                     (double)N_SAMPLES);
    assert_true(most_bytes < (size_t)10 * N_SAMPLES);
    assert_true(made.len_bytes <= 1024); /* a microcontroller sends it whole */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_and_samples_out_of_their_ranges_are_refused),
        cmocka_unit_test(batch_of_89_samples_costs_less_than_ten_bytes_a_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
