/* SPDX-License-Identifier: Apache-2.0
 *
 * A device of any registers at the end of a line: octet 0 says which of its answers are missing, refused or
 * damaged, the rest are its registers from 40000 on. Whatever it has, it is searched, planned and polled;
 * each channel is said before its samples, and polls keep to the registers of its models. */
#include "firmware/taps/station/station.h"
#include "proto/base/assert.h"
#include "proto/base/cursor.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

enum { BASE = 40000, POINTS = 64, STEPS = 150, CHANNELS = 8192, SECOND = 1000 };

static const char *const EVERYTHING[] = {"*"};
static const struct station_group GROUP = {
    .patterns = EVERYTHING, .n_patterns = 1, .interval_ms = SECOND, .is_each = true};
static const struct station_group *const GROUPS[] = {&GROUP};

static struct station_line line;
static struct station_device device;
static struct plant_point points[POINTS];
static struct station_channel channels[POINTS];
static struct plant_read reads[POINTS];
static uint16_t registers[STATION_MODEL_REGISTERS];
static uint32_t next_channel;
static bool is_told[CHANNELS];

static void on_channel(void *ctx, const struct station_device *of, const struct station_channel *channel,
                       uint64_t now_ms)
{
    (void)ctx;
    (void)of;
    (void)now_ms;
    HR_ASSERT(channel->number >= 1 && channel->number < CHANNELS && channel->point[0] != '\0');
    is_told[channel->number] = true;
}

static void on_samples(void *ctx, const struct station_sample *samples, size_t n_samples, uint64_t now_ms)
{
    (void)ctx;
    (void)now_ms;
    HR_ASSERT(n_samples >= 1 && n_samples <= STATION_SAMPLES_MAX);
    for (size_t i = 0; i < n_samples; i++) {
        HR_ASSERT(is_told[samples[i].channel]);
        HR_ASSERT(i == 0 || samples[i].channel > samples[i - 1].channel);
    }
}

static void on_event(void *ctx, const struct station_device *of, enum station_event event, uint32_t number)
{
    (void)ctx;
    (void)of;
    (void)event;
    (void)number;
}

static void start(void)
{
    memset(is_told, 0, sizeof is_told);
    next_channel = 0;
    device = (struct station_device){.config = {.name = "device",
                                                .line = {.unit = 1,
                                                         .timeout_ms = 100,
                                                         .n_retries = 1,
                                                         .n_failures = 2,
                                                         .open_ms = SECOND,
                                                         .open_max_ms = 2 * SECOND},
                                                .groups = GROUPS,
                                                .n_groups = 1},
                                     .memory = {points, channels, reads, POINTS, registers}};
    const struct station_config config = {.framing = TAP_MODBUS_TCP,
                                          .devices = &device,
                                          .n_devices = 1,
                                          .next_channel = &next_channel,
                                          .sink = {on_channel, on_samples, on_event, NULL}};
    struct hr_status status = station_init(&line, &config, 0);
    HR_ASSERT(hr_is_ok(status));
    station_opened(&line, 0);
}

/* Answers the request from the registers; what is beyond them is refused. */
static void answer(const uint8_t *request, struct hr_bytes words, unsigned mood, uint64_t now_ms)
{
    uint8_t out[TAP_MODBUS_FRAME_MAX_BYTES];
    uint32_t address = (uint32_t)(request[8] << 8 | request[9]);
    uint32_t n = (uint32_t)(request[10] << 8 | request[11]);
    bool is_there = address >= BASE && (address - BASE + n) * 2 <= words.len_bytes;
    struct hr_writer writer = hr_writer_over(out, sizeof out);
    HR_ASSERT(n >= 1 && n <= TAP_MODBUS_READ_MAX_REGISTERS);
    if (mood == 1) {
        return; /* silent */
    }
    hr_write_raw(&writer, request, 4);
    hr_write_u16(&writer, (uint16_t)(is_there && mood != 2 ? 3 + n * 2 : 3));
    hr_write_u8(&writer, mood == 3 ? 9 : 1);
    if (is_there && mood != 2) {
        hr_write_u8(&writer, 3);
        hr_write_u8(&writer, (uint8_t)(n * 2));
        hr_write_raw(&writer, words.data + (size_t)(address - BASE) * 2, n * 2);
    } else {
        hr_write_u8(&writer, 0x83);
        hr_write_u8(&writer, mood == 2 ? 6 : 2);
    }
    station_feed(&line, hr_bytes_of(out, writer.at - (mood == 4 ? 1 : 0)), now_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    uint64_t now_ms = 0;
    unsigned moods = len_bytes > 0 ? data[0] : 0;
    struct hr_bytes words = hr_bytes_of(data + (len_bytes > 0), len_bytes > 0 ? len_bytes - 1 : 0);
    start();
    for (unsigned i = 0; i < STEPS; i++) {
        uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES];
        size_t len = 0;
        uint32_t wait_ms = 0;
        switch (station_step(&line, now_ms, out, &len, &wait_ms)) {
        case STATION_SEND:
            answer(out, words, i % 7 == moods >> 4 ? moods & 0x07 : 0, now_ms);
            break;
        case STATION_REOPEN:
            station_closed(&line, now_ms);
            station_opened(&line, now_ms);
            break;
        case STATION_WAIT:
            HR_ASSERT(wait_ms > 0);
            now_ms += wait_ms;
            break;
        }
    }
    return 0;
}
