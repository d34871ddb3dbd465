/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/iso/normalizer.h"

#include "aggregator/normalize/iso/anomaly.h"
#include "proto/base/assert.h"
#include "proto/base/decimal.h"

#include <string.h>

#define PRODUCER "headrace/iso/2"

/* The rules of schemas/feeds and tzdata, of which events are a function too, stand in the basis. */
enum { VERSION = 2, TEXT_CHARS = 256, MEMORY_ALIGN = 64, BASIS_PART_CHARS = 9 };

/* A document on its way to events. */
struct delivery {
    struct norm_iso_normalizer *iso;
    struct norm_subject subject;
    const struct edge_document *head;
    const struct norm_iso_feed *feed; /* NULL: not known */
    const struct norm_emit *emit;
    uint64_t n_dropped; /* events beyond what a batch may have */
    uint64_t n_anomalies;
    bool is_blind; /* memory could not tell: nothing more is emitted */
    char sha256[NORM_ANOMALY_SHA256_CHARS + 1];
};

/* ---- texts of strangers ---- */

/* How many bytes the UTF-8 character at `at` has; 0: none that may stand in a text (RFC 3629, section 4). */
static size_t utf8_bytes(const uint8_t *at, size_t left)
{
    uint8_t c = at[0];
    size_t n = c < 0x80                ? 1
               : c >= 0xC2 && c < 0xE0 ? 2
               : c >= 0xE0 && c < 0xF0 ? 3
               : c >= 0xF0 && c < 0xF5 ? 4
                                       : 0;
    if (c < 0x20 || c == 0x7F || n == 0 || n > left) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    bool is_long = (c == 0xE0 && at[1] < 0xA0) || (c == 0xF0 && at[1] < 0x90);
    bool is_beyond = (c == 0xED && at[1] >= 0xA0) || (c == 0xF4 && at[1] >= 0x90);
    return is_long || is_beyond ? 0 : n;
}

/* Copies a text as UTF-8 without control characters, '?' for what is none, cut to what fits. */
static struct hr_bytes clean(struct hr_bytes text, char out[TEXT_CHARS])
{
    size_t len = 0;
    for (size_t at = 0; at < text.len_bytes;) {
        size_t n = utf8_bytes(text.data + at, text.len_bytes - at);
        size_t step = n == 0 ? 1 : n;
        if (len + step > TEXT_CHARS) {
            break;
        }
        if (n == 0) {
            out[len] = '?';
        } else {
            memcpy(out + len, text.data + at, n);
        }
        len += step;
        at += step;
    }
    return hr_bytes_of(out, len);
}

/* ---- events ---- */

/* Is there room for one more of the batch? */
static bool may_give(struct delivery *delivery)
{
    bool has_room = delivery->iso->n_events < NORM_DOCUMENT_EVENTS_MAX;
    delivery->n_dropped += has_room ? 0 : 1;
    return has_room && !delivery->is_blind;
}

static void give(struct delivery *delivery, const struct norm_schema *schema, struct norm_value *values,
                 struct hr_bytes key, uint32_t revision)
{
    struct norm_iso_normalizer *iso = delivery->iso;
    struct norm_common_text text;
    delivery->subject.schema = schema;
    struct norm_time when = norm_common_fill(&delivery->subject, &text, values);
    values[NORM_REVISION] = norm_long(revision);
    const struct norm_event event = {.schema = schema,
                                     .values = values,
                                     .key = key,
                                     .occurred_at_us = when.occurred_at_us,
                                     .record_index = delivery->subject.record_index,
                                     .output_index = delivery->subject.output_index};
    delivery->subject.output_index++;
    iso->n_events++;
    delivery->emit->event(delivery->emit->ctx, &event);
}

/* Which revision of its observation the row is. False: it says nothing new, or it can't be told now. */
static bool is_news(struct delivery *delivery, const struct norm_iso_row *row, const char *key,
                    uint32_t *revision)
{
    struct norm_iso_normalizer *iso = delivery->iso;
    const struct norm_known *memory = delivery->subject.input->memory;
    *revision = 0;
    if (memory == NULL) {
        return true;
    }
    const struct norm_subject_key of = norm_iso_subject_key(row, key);
    struct norm_said said;
    if (!memory->last(memory->ctx, &of, &said)) {
        delivery->is_blind = true;
        return false;
    }
    uint64_t content = norm_iso_content(row);
    enum norm_iso_news news = norm_iso_revise(said.content, said.revision, content, revision);
    iso->counting->unchanged += news == NORM_ISO_SAME ? 1 : 0;
    iso->counting->corrected += news == NORM_ISO_CORRECTED ? 1 : 0;
    if (news != NORM_ISO_SAME) {
        memory->say(memory->ctx, &of, &(struct norm_said){content, *revision});
    }
    return news != NORM_ISO_SAME;
}

/* The row's place stays its own, so that its event would have the same id whenever it is one. */
static void pass_over(struct delivery *delivery)
{
    delivery->subject.output_index++;
    delivery->iso->n_events++;
}

static void give_row(void *ctx, const struct norm_iso_row *row)
{
    struct delivery *delivery = ctx;
    char texts[5][TEXT_CHARS];
    char key[NORM_ISO_KEY_CHARS];
    struct norm_value values[NORM_ISO_EVENT_FIELDS_MAX];
    struct norm_iso_row cleaned = *row;
    cleaned.market = clean(row->market, texts[0]);
    cleaned.location_id = clean(row->location_id, texts[1]);
    cleaned.location_name = clean(row->location_name, texts[2]);
    cleaned.region = clean(row->region, texts[3]);
    cleaned.contingency = clean(row->contingency, texts[4]);
    const struct norm_iso_inspector *inspector = delivery->iso->config.inspector;
    cleaned.quarantine = inspector == NULL ? NULL : inspector->row(inspector->ctx, &cleaned);
    delivery->iso->counting->rows++;
    uint32_t revision = 0;
    if (!may_give(delivery)) {
        return;
    }
    norm_iso_key(&cleaned, key);
    if (!is_news(delivery, &cleaned, key, &revision)) {
        pass_over(delivery);
        return;
    }
    norm_iso_values(&cleaned, key, values);
    give(delivery, norm_iso_schema(row->feed->iso, row->feed->product), values, cleaned.location_id,
         revision);
}

static void give_anomaly_of(struct delivery *delivery, const char *finding, uint64_t record,
                            struct hr_bytes text, const char *observation_key)
{
    char cleaned[TEXT_CHARS];
    struct norm_value values[NORM_ANOMALY_FIELDS_MAX];
    const struct edge_document *head = delivery->head;
    bool has_head = head->feed[0] != '\0';
    const struct norm_anomaly anomaly = {
        .feed = head->feed,
        .iso_code = delivery->feed != NULL ? norm_iso_code(delivery->feed->iso) : NULL,
        .request = has_head ? head->request : NULL,
        .sha256 = has_head ? delivery->sha256 : NULL,
        .record = record,
        .finding = finding,
        .text = clean(text, cleaned),
        .observation_key = observation_key,
        .window_start_ms = head->window_start_ms,
        .window_end_ms = head->window_end_ms,
    };
    norm_anomaly_values(&anomaly, values);
    delivery->iso->counting->anomalies++;
    if (may_give(delivery)) {
        give(delivery, &norm_anomaly_schema, values, hr_bytes_of(head->feed, strlen(head->feed)), 0);
    }
}

static void give_anomaly(struct delivery *delivery, const char *finding, uint64_t record, const char *text)
{
    give_anomaly_of(delivery, finding, record, hr_bytes_of(text, strlen(text)), NULL);
}

/* Behind all rows, so that no rule moves a row's output and with it its event_id. */
static void take_found(void *ctx, const struct norm_iso_found *found)
{
    give_anomaly_of(ctx, found->finding, 0, found->text, found->observation_key);
}

static void take_anomaly(void *ctx, const struct norm_iso_anomaly *anomaly)
{
    struct delivery *delivery = ctx;
    if (delivery->n_anomalies++ < NORM_ISO_ANOMALIES_MAX) {
        give_anomaly(delivery, norm_iso_finding_name(anomaly->finding), anomaly->record, anomaly->text);
    }
}

/* "12 more ..." */
static void tell_rest(struct delivery *delivery, const char *finding, uint64_t n, const char *what)
{
    char text[96] = "";
    char digits[HR_DECIMAL_CHARS];
    if (n == 0) {
        return;
    }
    const char *count = hr_decimal(n, digits);
    size_t len = strlen(count);
    size_t what_len = strlen(what);
    HR_ASSERT(len + what_len < sizeof text);
    memcpy(text, count, len + 1);
    memcpy(text + len, what, what_len + 1);
    give_anomaly(delivery, finding, 0, text);
}

/* ---- documents ---- */

/* False: there was no memory. */
static bool normalize(struct delivery *delivery, struct hr_bytes body)
{
    struct norm_iso_normalizer *iso = delivery->iso;
    const struct edge_document *head = delivery->head;
    if (delivery->feed == NULL) {
        give_anomaly(delivery, "unknown_feed", 0, "this build knows no feed of that name");
        return true;
    }
    const struct norm_iso_document document = {.feed = delivery->feed,
                                               .body = body,
                                               .name = hr_bytes_of(head->request, strlen(head->request)),
                                               .zones = iso->config.zones,
                                               .max_bytes = NORM_DOCUMENT_MAX_BYTES};
    const struct norm_iso_sink sink = {.row = give_row, .anomaly = take_anomaly, .ctx = delivery};
    const struct norm_iso_inspector *inspector = iso->config.inspector;
    struct norm_iso_result result;
    if (inspector != NULL) {
        inspector->begin(inspector->ctx, delivery->feed);
    }
    norm_iso_document(iso->work, &document, &sink, &result);
    if (result.code == HR_AGAIN) {
        return false;
    }
    iso->counting->normalized++;
    if (inspector != NULL) {
        inspector->end(inspector->ctx, take_found, delivery);
    }
    if (result.kind == NORM_ISO_UNKNOWN) {
        give_anomaly(delivery, "unknown_document", 0, "this build knows no form of document like it");
    }
    uint64_t n_untold =
        delivery->n_anomalies > NORM_ISO_ANOMALIES_MAX ? delivery->n_anomalies - NORM_ISO_ANOMALIES_MAX : 0;
    if (delivery->n_dropped > 0) {
        /* Its place is kept: nothing else of this batch needs it. */
        iso->n_events = NORM_DOCUMENT_EVENTS_MAX - 1;
        tell_rest(delivery, "too_many_events", delivery->n_dropped,
                  " events are beyond what a batch may give");
    } else {
        tell_rest(delivery, "more_findings", n_untold, " more findings in this document");
    }
    return true;
}

/* What came of the batch is thrown away, and it comes again. */
static void forget_batch(struct norm_iso_normalizer *iso, const struct norm_input *input)
{
    bool was_first = iso->counting == &iso->counts;
    *iso->counting = iso->before;
    iso->next_leaf = was_first ? input->batch->leaf : iso->next_leaf;
}

static void iso_batch(void *ctx, const struct norm_input *input)
{
    struct norm_iso_normalizer *iso = ctx;
    uint64_t leaf = input->batch->leaf;
    bool is_replay = input->past != NULL && input->past->edge != NULL;
    bool is_first = leaf >= iso->next_leaf && !is_replay;
    iso->counting = is_first ? &iso->counts : &iso->repeats;
    iso->before = *iso->counting;
    iso->next_leaf = is_first ? leaf + 1 : iso->next_leaf;
    iso->n_events = 0;
    norm_documents_batch(&iso->documents, input->batch->leaf);
}

static void iso_record(void *ctx, const struct norm_input *input, const struct edge_record *record,
                       uint32_t record_index, const struct norm_emit *emit)
{
    struct norm_iso_normalizer *iso = ctx;
    struct norm_document_found *found = &iso->found;
    norm_documents_take(&iso->documents, input, record, record_index, found);
    if (found->outcome == NORM_DOCUMENT_UNREADABLE) {
        forget_batch(iso, input);
    }
    if (found->outcome == NORM_DOCUMENT_NOTHING || found->outcome == NORM_DOCUMENT_UNREADABLE) {
        return;
    }
    if (found->outcome == NORM_DOCUMENT_CUT) {
        iso->counts.cut += found->is_first ? 1 : 0;
        if (input->past->edge != NULL) {
            input->past->edge->cut(input->past->ctx, input->batch, found->head.document_id, found->is_first);
        }
        return;
    }
    if (record->kind == EDGE_DOCUMENT) {
        iso->counting->documents[norm_document_kind_of(&found->head)]++;
    }
    const char *feed = found->head.feed;
    struct delivery delivery = {.iso = iso,
                                .subject = {.input = input,
                                            .producer = PRODUCER,
                                            .record_index = record_index,
                                            .dt_ms = record->dt_ms},
                                .head = &found->head,
                                .feed = norm_iso_feed_of(hr_bytes_of(feed, strlen(feed))),
                                .emit = emit};
    norm_hex(found->head.sha256, sizeof found->head.sha256, delivery.sha256);
    if (found->outcome == NORM_DOCUMENT_WHOLE) {
        if (!normalize(&delivery, found->body)) {
            norm_no_memory(input);
            forget_batch(iso, input);
        }
    } else if (found->outcome == NORM_DOCUMENT_BROKEN) {
        iso->counting->broken++;
        give_anomaly(&delivery, "incomplete", 0, found->text);
    }
}

static void iso_recall(void *ctx, const struct norm_input *input, const struct edge_record *record)
{
    struct norm_iso_normalizer *iso = ctx;
    norm_documents_recall(&iso->documents, input, record);
}

static uint64_t iso_needs_from(void *ctx, uint64_t since)
{
    struct norm_iso_normalizer *iso = ctx;
    return norm_documents_needs(&iso->documents, since);
}

static bool iso_takes(enum edge_kind kind)
{
    return kind == EDGE_DOCUMENT || kind == EDGE_CHUNK;
}

const struct norm_schema *norm_iso_topic(size_t number)
{
    HR_ASSERT(number < NORM_ISO_N_TOPICS);
    return number == NORM_ISO_N_TOPICS - 1
               ? &norm_anomaly_schema
               : norm_iso_schema((enum norm_iso)(number % NORM_ISO_COUNT),
                                 (enum norm_iso_product)(number / NORM_ISO_COUNT));
}

static size_t work_bytes(void)
{
    return (norm_iso_work_bytes() + MEMORY_ALIGN - 1) / MEMORY_ALIGN * MEMORY_ALIGN;
}

size_t norm_iso_memory_bytes(void)
{
    return work_bytes() + 2 * (size_t)NORM_DOCUMENT_MAX_BYTES;
}

/* "z1a2b3c4d" */
static void put_digest(char kind, uint64_t digest, char out[BASIS_PART_CHARS])
{
    uint64_t folded = digest ^ digest >> 32;
    const uint8_t bytes[4] = {(uint8_t)(folded >> 24), (uint8_t)(folded >> 16), (uint8_t)(folded >> 8),
                              (uint8_t)folded};
    out[0] = kind;
    norm_hex(bytes, sizeof bytes, out + 1);
}

static void put_basis(struct norm_iso_normalizer *iso)
{
    put_digest('z', norm_zones_digest(iso->config.zones), iso->basis);
    if (iso->config.inspector != NULL) {
        iso->basis[BASIS_PART_CHARS] = '+';
        put_digest('r', iso->config.inspector->digest, iso->basis + BASIS_PART_CHARS + 1);
    }
}

void norm_iso_init(struct norm_iso_normalizer *iso, const struct norm_iso_config *config)
{
    uint8_t *memory = config->memory;
    memset(iso, 0, sizeof *iso);
    iso->config = *config;
    iso->counting = &iso->counts;
    iso->work = norm_iso_work_in(memory);
    norm_documents_init(&iso->documents, config->hash, memory + work_bytes(),
                        memory + work_bytes() + NORM_DOCUMENT_MAX_BYTES);
    for (size_t i = 0; i < NORM_ISO_N_TOPICS; i++) {
        iso->schemas[i] = norm_iso_topic(i);
    }
    put_basis(iso);
    iso->normalizer = (struct normalizer){.source = "iso",
                                          .version = VERSION,
                                          .basis = iso->basis,
                                          .schemas = iso->schemas,
                                          .n_schemas = NORM_ISO_N_TOPICS,
                                          .takes = iso_takes,
                                          .batch = iso_batch,
                                          .record = iso_record,
                                          .needs_from = iso_needs_from,
                                          .recall = iso_recall,
                                          .recall_leaves = NORM_DOCUMENT_PATIENCE_LEAVES,
                                          .ctx = iso};
}
