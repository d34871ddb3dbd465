/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/notes.h"

enum { N_AT = 9, RUN_HEADER_BYTES = 11, NOTE_MAX_BYTES = RUN_HEADER_BYTES + 2 + 8 + 2 };

uint32_t agg_feed_id(const char *topic)
{
    uint32_t hash = 0x811C9DC5u;
    for (; *topic != '\0'; topic++) {
        hash = (hash ^ (uint8_t)*topic) * 0x01000193u;
    }
    return hash;
}

/* Writes over what stands at `at`, which was written before. */
static void patch(struct agg_notes_writer *writer, size_t at, size_t len_bytes, uint32_t value)
{
    for (size_t i = 0; i < len_bytes && !writer->out.failed; i++) {
        writer->out.data[at + i] = (uint8_t)(value >> (8 * (len_bytes - 1 - i)));
    }
}

static void end_run(struct agg_notes_writer *writer)
{
    if (writer->n > 0) {
        patch(writer, writer->run_at + N_AT, 2, writer->n);
        patch(writer, writer->run_at + N_AT - 1, 1, writer->flags);
        writer->n = 0;
    }
}

void agg_notes_begin(struct agg_notes_writer *writer)
{
    writer->leaf_at = writer->out.at;
    writer->n_runs = 0;
    writer->n_notes = 0;
    writer->n = 0;
    hr_write_u32(&writer->out, 0);
}

static void begin_run(struct agg_notes_writer *writer, const struct agg_note *note)
{
    end_run(writer);
    writer->run_at = writer->out.at;
    writer->flags =
        (uint8_t)((note->revision > 0 ? AGG_RUN_REVISED : 0) | (note->output > UINT16_MAX ? AGG_RUN_FAR : 0));
    writer->n_runs++;
    writer->next = *note;
    hr_write_u32(&writer->out, note->feed);
    hr_write_u16(&writer->out, note->record);
    hr_write_u16(&writer->out, (uint16_t)note->output);
    hr_write_u8(&writer->out, 0);
    hr_write_u16(&writer->out, 0);
    if ((writer->flags & AGG_RUN_FAR) != 0) {
        hr_write_u16(&writer->out, (uint16_t)(note->output >> 16));
    }
}

static bool goes_on(struct agg_notes_writer *writer, const struct agg_note *note)
{
    const struct agg_note *next = &writer->next;
    bool is_revised = (writer->flags & AGG_RUN_REVISED) != 0;
    if (writer->n == 0 || writer->n == UINT16_MAX || note->feed != next->feed ||
        (note->revision > 0) != is_revised) {
        return false;
    }
    if (note->record == next->record && note->output == next->output) {
        return true;
    }
    /* A run of one may still become one of outputs. */
    if (writer->n == 1 && note->record == next->record - 1 && note->output == next->output + 1) {
        writer->flags |= AGG_RUN_OUTPUTS;
        return true;
    }
    return false;
}

void agg_notes_add(struct agg_notes_writer *writer, const struct agg_note *note)
{
    if (writer->n_notes == AGG_LEAF_MAX_NOTES ||
        writer->out.at - writer->leaf_at > AGG_LEAF_NOTES_MAX_BYTES - NOTE_MAX_BYTES) {
        writer->n_beyond++;
        return;
    }
    writer->n_notes++;
    if (!goes_on(writer, note)) {
        begin_run(writer, note);
    }
    hr_write_u64(&writer->out, note->content);
    if ((writer->flags & AGG_RUN_REVISED) != 0) {
        hr_write_u16(&writer->out, note->revision);
    }
    writer->n++;
    writer->next.record = note->record;
    writer->next.output = note->output;
    if ((writer->flags & AGG_RUN_OUTPUTS) != 0) {
        writer->next.output++;
    } else {
        writer->next.record++;
    }
}

struct hr_status agg_notes_end(struct agg_notes_writer *writer)
{
    end_run(writer);
    patch(writer, writer->leaf_at, 4, writer->n_runs);
    return hr_status_of(hr_writer_ok(&writer->out) ? HR_OK : HR_FULL);
}

static bool read_run(struct hr_reader *in, struct agg_note *notes, uint32_t *n_notes)
{
    struct agg_note note = {.feed = hr_read_u32(in)};
    note.record = hr_read_u16(in);
    note.output = hr_read_u16(in);
    uint8_t flags = hr_read_u8(in);
    uint16_t n = hr_read_u16(in);
    if ((flags & AGG_RUN_FAR) != 0) {
        note.output |= (uint32_t)hr_read_u16(in) << 16;
    }
    if (!hr_reader_ok(in) || n == 0 || flags > (AGG_RUN_OUTPUTS | AGG_RUN_REVISED | AGG_RUN_FAR) ||
        n > AGG_LEAF_MAX_NOTES - *n_notes) {
        return false;
    }
    for (uint16_t i = 0; i < n; i++) {
        note.content = hr_read_u64(in);
        note.revision = (flags & AGG_RUN_REVISED) != 0 ? hr_read_u16(in) : 0;
        notes[(*n_notes)++] = note;
        note.output += (flags & AGG_RUN_OUTPUTS) != 0 ? 1 : 0;
        note.record = (uint16_t)(note.record + ((flags & AGG_RUN_OUTPUTS) != 0 ? 0 : 1));
    }
    return hr_reader_ok(in);
}

struct hr_status agg_notes_next(struct hr_reader *in, struct agg_note *notes, uint32_t *n_notes)
{
    uint32_t n_runs = hr_read_u32(in);
    *n_notes = 0;
    bool good = hr_reader_ok(in) && n_runs <= hr_reader_left(in) / RUN_HEADER_BYTES;
    for (uint32_t i = 0; i < n_runs && good; i++) {
        good = read_run(in, notes, n_notes);
    }
    return hr_status_of(good ? HR_OK : HR_CORRUPT);
}

/* ---- order ---- */

static bool is_before(const struct agg_note *a, const struct agg_note *b)
{
    if (a->record != b->record) {
        return a->record < b->record;
    }
    return a->output != b->output ? a->output < b->output : a->feed < b->feed;
}

/* Moves the note at `at` down the heap of n notes to its place. */
static void sift(struct agg_note *notes, uint32_t at, uint32_t n)
{
    const struct agg_note note = notes[at];
    for (uint32_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
        child += child + 1 < n && is_before(&notes[child], &notes[child + 1]) ? 1 : 0;
        if (!is_before(&note, &notes[child])) {
            break;
        }
        notes[at] = notes[child];
        at = child;
    }
    notes[at] = note;
}

void agg_notes_sort(struct agg_note *notes, uint32_t n_notes)
{
    uint32_t n_ordered = n_notes > 0 ? 1 : 0;
    while (n_ordered < n_notes && is_before(&notes[n_ordered - 1], &notes[n_ordered])) {
        n_ordered++;
    }
    if (n_ordered == n_notes) {
        return;
    }
    for (uint32_t at = n_notes / 2; at > 0; at--) {
        sift(notes, at - 1, n_notes);
    }
    for (uint32_t n = n_notes - 1; n > 0; n--) {
        const struct agg_note largest = notes[0];
        notes[0] = notes[n];
        notes[n] = largest;
        sift(notes, 0, n);
    }
}

struct agg_note *agg_notes_find(struct agg_note *notes, uint32_t n_notes, const struct agg_note *wanted)
{
    uint32_t from = 0;
    uint32_t end = n_notes;
    while (from < end) {
        uint32_t middle = from + (end - from) / 2;
        if (is_before(&notes[middle], wanted)) {
            from = middle + 1;
        } else {
            end = middle;
        }
    }
    return from < n_notes && !is_before(wanted, &notes[from]) ? &notes[from] : NULL;
}
