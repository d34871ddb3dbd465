/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading back what Kafka has decided. By now init_transactions has settled whatever an earlier producer left
 * open, and the fence marker is committed: a read_committed reader that reaches the marker has seen every
 * decision about this log in its partition, and one that reaches the end of the log has in another. */
#include "aggregator/sinks/kafka/kafka_private.h"
#include "proto/base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POLL_MS = 100, FIRST_LOOK_BACK = 64, LOOK_BACK_GROWTH = 16 };

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static rd_kafka_t *make_reader(const struct sink_kafka *sink)
{
    rd_kafka_conf_t *conf = sink_kafka_conf(sink);
    HR_ASSERT(conf != NULL);
    char reason[256] = "a property of the reader was refused";
    bool good = sink_kafka_conf_set(sink, conf, "isolation.level", "read_committed") &&
                sink_kafka_conf_set(sink, conf, "enable.auto.commit", "false") &&
                sink_kafka_conf_set(sink, conf, "enable.partition.eof", "true") &&
                sink_kafka_conf_set(sink, conf, "auto.offset.reset", "earliest") &&
                sink_kafka_conf_set(sink, conf, "fetch.wait.max.ms", "10") &&
                sink_kafka_conf_set(sink, conf, "group.id", "headrace-readback"); /* required, never joined */
    /* Logs about producer properties in a consumer's configuration would say nothing. */
    rd_kafka_conf_set_log_cb(conf, NULL);
    rd_kafka_t *reader = good ? rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason) : NULL;
    if (reader == NULL) {
        rd_kafka_conf_destroy(conf);
        sink_kafka_log(sink, SINK_KAFKA_WARN, "kafka_reader_failed", reason);
        return NULL;
    }
    (void)rd_kafka_poll_set_consumer(reader);
    return reader;
}

/* ---- the cursor ---- */

struct cursor_search {
    const struct sink_kafka *sink;
    char fence_key[sizeof KAFKA_FENCE_KEY_PREFIX + SINK_KAFKA_ORIGIN_CHARS];
    char fence_value[64];
    bool found;
    bool fenced;
    struct sink_cursor cursor;
};

static bool equals(const void *data, size_t len_bytes, const char *text)
{
    return len_bytes == strlen(text) && memcmp(data, text, len_bytes) == 0;
}

/* The number behind `before` at *text, which moves behind it. */
static bool take_number(const char **text, const char *before, uint64_t *number)
{
    size_t len = strlen(before);
    if (strncmp(*text, before, len) != 0) {
        return false;
    }
    char *end = NULL;
    *number = strtoull(*text + len, &end, 10);
    bool good = end != *text + len;
    *text = end;
    return good;
}

static int digit_of(char c)
{
    static const char hex[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(hex, c);
    return at == NULL ? -1 : (int)(at - hex);
}

/* The digest at text; false: there is none, as in cursors of earlier versions. */
static bool take_digest(const char *text, uint8_t out[WIRE_DIGEST_BYTES])
{
    static const char before[] = ",\"digest\":\"";
    if (strncmp(text, before, sizeof before - 1) != 0) {
        return false;
    }
    text += sizeof before - 1;
    for (size_t i = 0; i < WIRE_DIGEST_BYTES; i++, text += 2) {
        int high = digit_of(text[0]);
        int low = high < 0 ? -1 : digit_of(text[1]);
        if (low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return *text == '"';
}

/* A cursor value begins as kafka_commit writes it; what follows is for people. */
static bool read_cursor_value(const rd_kafka_message_t *message, struct sink_cursor *cursor)
{
    char value[KAFKA_CURSOR_CHARS];
    size_t len = message->len < sizeof value - 1 ? message->len : sizeof value - 1;
    memcpy(value, message->payload, len);
    value[len] = '\0';
    const char *text = value;
    struct sink_cursor read = {0};
    bool good = take_number(&text, "{\"next_leaf\":", &read.next_leaf) && *text == ',';
    if (good && take_number(&text, ",\"replay\":", &read.replay)) {
        good = take_number(&text, ",\"replay_next_leaf\":", &read.replay_next_leaf) && *text == ',';
    }
    if (good && take_number(&text, ",\"entries\":", &read.n_entries)) {
        good = *text == ',';
    }
    read.has_digest = good && take_digest(text, read.last_digest);
    if (good) {
        *cursor = read;
    }
    return good;
}

static void look_at_control(struct cursor_search *search, const rd_kafka_message_t *message)
{
    if (message->key == NULL || message->payload == NULL) {
        return;
    }
    if (equals(message->key, message->key_len, search->fence_key)) {
        search->fenced = search->fenced || equals(message->payload, message->len, search->fence_value);
        return;
    }
    if (!equals(message->key, message->key_len, search->sink->origin)) {
        return;
    }
    if (read_cursor_value(message, &search->cursor)) {
        search->found = true;
    } else {
        sink_kafka_log(search->sink, SINK_KAFKA_WARN, "kafka_cursor_unreadable",
                       "a cursor record of this log is passed over");
    }
}

/* Reads from `offset` to the fence marker. */
static bool search_from(struct cursor_search *search, rd_kafka_t *reader, int64_t offset,
                        uint64_t deadline_ms)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, search->sink->cursor_topic, 0)->offset = offset;
    bool assigned = rd_kafka_assign(reader, list) == RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_topic_partition_list_destroy(list);
    while (assigned && !search->fenced && now_ms() < deadline_ms) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, POLL_MS);
        if (message != NULL && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            look_at_control(search, message);
        }
        if (message != NULL) {
            rd_kafka_message_destroy(message);
        }
    }
    return search->fenced;
}

struct hr_status sink_kafka_read_cursor(struct sink_kafka *sink, uint32_t timeout_ms, bool *found,
                                        struct sink_cursor *cursor)
{
    uint64_t deadline_ms = now_ms() + timeout_ms;
    struct cursor_search search = {.sink = sink};
    (void)snprintf(search.fence_key, sizeof search.fence_key, KAFKA_FENCE_KEY_PREFIX "%s", sink->origin);
    (void)snprintf(search.fence_value, sizeof search.fence_value, "{\"incarnation\":\"%016" PRIx64 "\"}",
                   sink->incarnation);
    int64_t low = 0;
    int64_t high = 0;
    rd_kafka_resp_err_t error =
        rd_kafka_query_watermark_offsets(sink->producer, sink->cursor_topic, 0, &low, &high, (int)timeout_ms);
    rd_kafka_t *reader = error == RD_KAFKA_RESP_ERR_NO_ERROR ? make_reader(sink) : NULL;
    if (reader == NULL) {
        return hr_status_of(HR_AGAIN);
    }
    /* The newest cursor stands near the end; only a log that other publishers share may need a longer look.
     */
    bool complete = false;
    for (int64_t back = FIRST_LOOK_BACK; !complete; back *= LOOK_BACK_GROWTH) {
        int64_t from = high - back > low ? high - back : low;
        search.fenced = false;
        if (!search_from(&search, reader, from, deadline_ms)) {
            break;
        }
        complete = search.found || from == low;
    }
    rd_kafka_destroy_flags(reader, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    if (!complete) {
        return hr_status_of(HR_AGAIN);
    }
    *found = search.found;
    *cursor = search.cursor;
    return hr_ok();
}

/* ---- the tails ---- */

/* One partition whose last record of this log is looked for. */
struct tail_search {
    const struct kafka_topic *topic;
    int32_t partition;
    int64_t low;
    int64_t high; /* end of the partition, decided or not, after the fence */
    int64_t from; /* where this look began */
    bool at_end;
    bool done;
};

static bool header_number(const rd_kafka_headers_t *headers, const char *name, uint64_t *number)
{
    const void *value = NULL;
    size_t len = 0;
    char text[24];
    if (rd_kafka_header_get_last(headers, name, &value, &len) != RD_KAFKA_RESP_ERR_NO_ERROR || len == 0 ||
        len >= sizeof text) {
        return false;
    }
    memcpy(text, value, len);
    text[len] = '\0';
    char *end = NULL;
    *number = strtoull(text, &end, 10);
    return *end == '\0';
}

/* True when the record is one of this log; *tail then tells what stands up to it. A revision names the live
 * record that stands last before it. */
static bool read_tail(const struct sink_kafka *sink, const rd_kafka_message_t *message,
                      struct kafka_tail *tail)
{
    rd_kafka_headers_t *headers = NULL;
    const void *log = NULL;
    size_t log_len = 0;
    uint64_t record = 0;
    uint64_t output = 0;
    uint64_t entry = 0;
    struct kafka_place place = {0};
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, "log", &log, &log_len) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        !equals(log, log_len, sink->origin)) {
        return false;
    }
    if (header_number(headers, "entry", &entry)) {
        *tail = (struct kafka_tail){.known = true, .n_entries = entry};
        return true;
    }
    if (!header_number(headers, "leaf", &place.leaf)) {
        return false;
    }
    bool whole = !header_number(headers, "record_index", &record);
    if (!whole && !header_number(headers, "output_index", &output)) {
        return false;
    }
    place.index = whole ? 0 : (record + 1) << 32 | output;
    *tail = (struct kafka_tail){.known = true};
    if (header_number(headers, "replay", &tail->replay)) {
        tail->replay_place = place;
        uint64_t index = 0;
        uint64_t high = 0;
        tail->has_place = header_number(headers, "live_leaf", &tail->place.leaf) &&
                          header_number(headers, "live_index", &index);
        (void)header_number(headers, "live_index_high", &high);
        tail->place.index = index >> 16 << 32 | (high & UINT16_MAX) << 16 | (index & UINT16_MAX);
    } else {
        tail->has_place = true;
        tail->place = place;
    }
    return true;
}

static struct tail_search *find_search(struct tail_search *searches, uint32_t n, const char *topic,
                                       int32_t partition)
{
    for (uint32_t i = 0; i < n; i++) {
        if (searches[i].partition == partition && strcmp(searches[i].topic->name, topic) == 0) {
            return &searches[i];
        }
    }
    return NULL;
}

/* Points the reader at the next stretch of every unfinished search; false when none is left. */
static bool assign_looks(rd_kafka_t *reader, struct tail_search *searches, uint32_t n, int64_t back)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    for (uint32_t i = 0; i < n; i++) {
        struct tail_search *search = &searches[i];
        if (search->done) {
            continue;
        }
        search->from = search->high - back > search->low ? search->high - back : search->low;
        search->at_end = false;
        rd_kafka_topic_partition_list_add(list, search->topic->name, search->partition)->offset =
            search->from;
    }
    bool any = list->cnt > 0;
    /* A failed assignment shows as a timeout of the look. */
    (void)rd_kafka_assign(reader, list);
    rd_kafka_topic_partition_list_destroy(list);
    return any;
}

/* Reads every unfinished partition to its end. */
static bool look(struct sink_kafka *sink, rd_kafka_t *reader, struct tail_search *searches, uint32_t n,
                 uint64_t deadline_ms)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < n; i++) {
        open += searches[i].done ? 0 : 1;
    }
    while (open > 0 && now_ms() < deadline_ms) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, POLL_MS);
        if (message == NULL) {
            continue;
        }
        struct tail_search *search =
            message->rkt == NULL
                ? NULL
                : find_search(searches, n, rd_kafka_topic_name(message->rkt), message->partition);
        struct kafka_tail tail;
        /* An end below what the partition held is no end: another log's open transaction stands there, and
         * records of ours may stand behind it. It is decided within that producer's timeout. */
        if (search != NULL && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && !search->at_end &&
            message->offset >= search->high) {
            search->at_end = true;
            open--;
        } else if (search != NULL && message->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
                   read_tail(sink, message, &tail)) {
            sink->tails[search->topic->first_tail + (uint32_t)search->partition] = tail;
        }
        rd_kafka_message_destroy(message);
    }
    return open == 0;
}

static void take_offsets(rd_kafka_event_t *event, struct tail_search *searches, uint32_t n, bool ends,
                         uint32_t *n_taken)
{
    size_t n_infos = 0;
    const rd_kafka_ListOffsets_result_t *result = rd_kafka_event_ListOffsets_result(event);
    const rd_kafka_ListOffsetsResultInfo_t **infos =
        result != NULL ? rd_kafka_ListOffsets_result_infos(result, &n_infos) : NULL;
    for (size_t i = 0; i < n_infos; i++) {
        const rd_kafka_topic_partition_t *at = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]);
        struct tail_search *search = find_search(searches, n, at->topic, at->partition);
        if (search != NULL && at->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            *(ends ? &search->high : &search->low) = at->offset;
            (*n_taken)++;
        }
    }
}

/* Asks where all partitions begin, or end. The end is that of the log, not of what is decided: what our last
 * transaction wrote may stand behind an open one of another log. */
static bool ask_offsets(struct sink_kafka *sink, struct tail_search *searches, uint32_t n, bool ends,
                        uint32_t timeout_ms)
{
    char ignored[64];
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    for (uint32_t i = 0; i < n; i++) {
        rd_kafka_topic_partition_list_add(list, searches[i].topic->name, searches[i].partition)->offset =
            ends ? RD_KAFKA_OFFSET_SPEC_LATEST : RD_KAFKA_OFFSET_SPEC_EARLIEST;
    }
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(sink->producer, RD_KAFKA_ADMIN_OP_LISTOFFSETS);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, (int)timeout_ms, ignored, sizeof ignored);
    rd_kafka_error_t *refused =
        rd_kafka_AdminOptions_set_isolation_level(options, RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED);
    HR_ASSERT(refused == NULL);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(sink->producer);
    rd_kafka_ListOffsets(sink->producer, list, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, (int)timeout_ms);
    uint32_t n_taken = 0;
    if (event != NULL) {
        take_offsets(event, searches, n, ends, &n_taken);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_topic_partition_list_destroy(list);
    return n_taken == n;
}

static bool start_searches(struct sink_kafka *sink, struct tail_search *searches, uint32_t timeout_ms)
{
    uint32_t n = 0;
    for (size_t i = 0; i < sink->n_topics; i++) {
        for (int32_t partition = 0; partition < sink->topics[i].n_partitions; partition++) {
            searches[n++] = (struct tail_search){.topic = &sink->topics[i], .partition = partition};
        }
    }
    HR_ASSERT(n == sink->n_tails);
    if (!ask_offsets(sink, searches, n, false, timeout_ms) ||
        !ask_offsets(sink, searches, n, true, timeout_ms)) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        searches[i].done = searches[i].high <= searches[i].low;
    }
    return true;
}

struct hr_status sink_kafka_read_tails(struct sink_kafka *sink, uint32_t timeout_ms)
{
    uint64_t deadline_ms = now_ms() + timeout_ms;
    memset(sink->tails, 0, sizeof sink->tails);
    struct tail_search *searches = calloc(SINK_KAFKA_MAX_PARTITIONS, sizeof *searches);
    HR_ASSERT(searches != NULL);
    rd_kafka_t *reader = start_searches(sink, searches, timeout_ms) ? make_reader(sink) : NULL;
    if (reader == NULL) {
        free(searches);
        return hr_status_of(HR_AGAIN);
    }
    bool good = true;
    for (int64_t back = FIRST_LOOK_BACK; good && assign_looks(reader, searches, sink->n_tails, back);
         back *= LOOK_BACK_GROWTH) {
        good = look(sink, reader, searches, sink->n_tails, deadline_ms);
        for (uint32_t i = 0; i < sink->n_tails; i++) {
            struct tail_search *search = &searches[i];
            uint32_t tail = search->topic->first_tail + (uint32_t)search->partition;
            search->done = search->done || sink->tails[tail].known || search->from <= search->low;
        }
    }
    rd_kafka_destroy_flags(reader, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    free(searches);
    return good ? hr_ok() : hr_status_of(HR_AGAIN);
}
