/* SPDX-License-Identifier: Apache-2.0
 *
 * The way of one document: unpacked to its first bytes, classified, read once without emitting to see whether
 * it can be read at all, and then for its rows. Forms that keep their rows until the end are read once. */
#include "aggregator/normalize/iso/form.h"

#include <string.h>

enum { MAX_BYTES = 64 << 20, UNPACKED_TIMES = 8 };

struct norm_iso_work {
    struct norm_reader reader;
    struct norm_zip_member members[NORM_ZIP_MEMBERS_MAX];
    uint8_t head[NORM_FORM_HEAD_BYTES];
    struct norm_join join;
};

size_t norm_iso_work_bytes(void)
{
    return sizeof(struct norm_iso_work);
}

struct norm_iso_work *norm_iso_work_in(void *memory)
{
    return memory;
}

/* A body, or a member of it. */
struct part {
    struct norm_memory memory;
    struct norm_unpack *unpack; /* NULL: not packed */
    struct norm_source source;
};

static struct hr_status part_open(struct part *part, struct hr_bytes body,
                                  const struct norm_zip_member *member)
{
    *part = (struct part){0};
    if (member != NULL) {
        HR_TRY(norm_unpack_member(member, &part->unpack));
    } else if (norm_gzip_is(body)) {
        HR_TRY(norm_unpack_gzip(body, &part->unpack));
    } else {
        part->source = norm_memory_source(&part->memory, body);
        return hr_ok();
    }
    part->source = norm_unpack_source(part->unpack);
    return hr_ok();
}

static void part_close(struct part *part)
{
    norm_unpack_close(part->unpack);
}

/* The first bytes; fewer when the part ends or breaks before. */
static struct hr_status read_head(struct norm_iso_work *work, struct hr_bytes body,
                                  const struct norm_zip_member *member, struct hr_bytes *head)
{
    struct part part;
    size_t len = 0;
    HR_TRY(part_open(&part, body, member));
    struct hr_status status = hr_ok();
    while (len < sizeof work->head) {
        size_t got = 0;
        status = part.source.next(part.source.ctx, work->head + len, sizeof work->head - len, &got);
        if (!hr_is_ok(status)) {
            break;
        }
        len += got;
    }
    part_close(&part);
    *head = hr_bytes_of(work->head, len);
    bool has_some = status.code == HR_CLOSED || (len > 0 && status.code != HR_AGAIN);
    return has_some ? hr_ok() : status;
}

static void on_row(void *ctx, const struct hr_bytes *cells, uint64_t number)
{
    struct norm_iso_run *run = ctx;
    run->record = ++run->result->n_records;
    (void)number; /* of the member; the document may have several */
    if (run->code == HR_OK) {
        run->form->record(run, cells);
    }
}

static void on_preamble(void *ctx, const struct hr_bytes *fields, size_t n_fields)
{
    struct norm_iso_run *run = ctx;
    if (run->form->preamble != NULL) {
        run->form->preamble(run, fields, n_fields);
    }
}

static struct hr_status read_part(struct norm_iso_work *work, struct norm_iso_run *run,
                                  const struct norm_zip_member *member, uint64_t max_bytes)
{
    const struct norm_row_sink sink = {.row = on_row, .preamble = on_preamble, .ctx = run};
    struct part part;
    HR_TRY(part_open(&part, run->document->body, member));
    struct hr_status status = norm_read(&work->reader, run->form->layout, part.source, max_bytes, &sink);
    part_close(&part);
    run->result->unpacked_bytes += work->reader.window.read_bytes;
    return hr_is_ok(status) ? hr_status_of(run->code) : status;
}

/* What is counted of records and rows is counted anew in each reading. */
static void forget_counts(struct norm_iso_result *result)
{
    struct norm_iso_result fresh = {
        .feed = result->feed, .form = result->form, .kind = result->kind, .code = result->code};
    *result = fresh;
}

static struct hr_status read_all(struct norm_iso_work *work, struct norm_iso_run *run, size_t n_members,
                                 bool is_dry)
{
    uint64_t max_bytes = run->document->max_bytes != 0 ? run->document->max_bytes : MAX_BYTES;
    forget_counts(run->result);
    work->reader.failed_at = 0;
    run->is_dry = is_dry;
    run->has_day = false;
    run->is_misnamed = false;
    run->code = HR_OK;
    if (run->form->has_join || run->tells_places) {
        norm_join_clear(&work->join);
    }
    if (n_members == 0) {
        bool is_packed = norm_gzip_is(run->document->body);
        return read_part(work, run, NULL, is_packed ? max_bytes * UNPACKED_TIMES : max_bytes);
    }
    for (size_t i = 0; i < n_members; i++) {
        uint64_t left_bytes = max_bytes * UNPACKED_TIMES - run->result->unpacked_bytes;
        HR_TRY(read_part(work, run, &work->members[i], left_bytes));
    }
    return hr_ok();
}

static void fail_for(struct norm_iso_run *run, enum hr_code code, const char *why, struct hr_bytes detail)
{
    if (code == HR_AGAIN) { /* nothing about the document: it is read again */
        if (run->is_dry) {
            forget_counts(run->result);
        }
        run->result->code = code;
        return;
    }
    forget_counts(run->result);
    run->result->code = code;
    run->is_dry = false;
    run->record = 0;
    norm_run_tell(run, NORM_ISO_DOCUMENT, why, detail);
}

static void fail(struct norm_iso_run *run, enum hr_code code, const char *why)
{
    fail_for(run, code, why, run->document->name);
}

static const char *why_of(enum hr_code code)
{
    switch (code) {
    case HR_FULL:
        return "the document is larger than its bound, packed beyond reason, or has a line too long";
    case HR_NOT_FOUND:
        return "the columns of its form are not there";
    case HR_MALFORMED:
        return "the document is cut short or breaks its format";
    case HR_OK:
    case HR_AGAIN:
    case HR_CORRUPT:
    case HR_DENIED:
    case HR_IO:
    case HR_CLOSED:
        break;
    }
    return "the document can't be read";
}

static void read_rows(struct norm_iso_work *work, struct norm_iso_run *run, size_t n_members)
{
    const struct norm_iso_form *form = run->form;
    struct hr_status status = read_all(work, run, n_members, !form->keeps_rows);
    if (hr_is_ok(status) && !form->keeps_rows) {
        status = read_all(work, run, n_members, false);
    }
    if (!hr_is_ok(status)) {
        fail(run, status.code, why_of(status.code));
        run->result->failed_at = work->reader.failed_at;
    } else if (form->finish != NULL) {
        form->finish(run);
    }
}

/* Is the feed one that documents of this form may be of? `usual` is the form's own, or NULL. */
static bool is_of_feed(const struct norm_iso_form *form, const struct norm_iso_feed *usual,
                       const struct norm_iso_feed *feed)
{
    return form->iso == feed->iso && (form->products & 1U << feed->product) != 0 &&
           (!form->is_told || usual == NULL || strcmp(usual->market, feed->market) == 0);
}

/* Lists an archive and finds the form of the whole: that of all members. */
static struct hr_status classify(struct norm_iso_work *work, const struct norm_iso_document *document,
                                 size_t *n_members, const struct norm_iso_form **form)
{
    struct hr_bytes head = {0};
    struct hr_bytes body = document->body;
    struct hr_bytes name = document->name;
    *n_members = 0;
    if (!norm_zip_is(body)) {
        HR_TRY(read_head(work, body, NULL, &head));
        *form = norm_form_of(head, name);
        return hr_ok();
    }
    HR_TRY(norm_zip_list(body, work->members, NORM_ZIP_MEMBERS_MAX, n_members));
    if (*n_members == 0) {
        *form = norm_form_of(head, name);
    }
    for (size_t i = 0; i < *n_members; i++) {
        HR_TRY(read_head(work, body, &work->members[i], &head));
        const struct norm_iso_form *found = norm_form_of(head, name);
        bool is_other = i > 0 && strcmp(found->name, (*form)->name) != 0;
        *form = i == 0 ? found : *form;
        if (is_other) {
            return hr_status_of(HR_NOT_FOUND);
        }
    }
    return hr_ok();
}

void norm_iso_document(struct norm_iso_work *work, const struct norm_iso_document *document,
                       const struct norm_iso_sink *sink, struct norm_iso_result *result)
{
    struct norm_iso_run run = {
        .document = document, .feed = document->feed, .sink = sink, .result = result, .join = &work->join};
    size_t n_members = 0;
    *result = (struct norm_iso_result){.form = "unknown", .kind = NORM_ISO_UNKNOWN, .feed = document->feed};
    if (document->body.len_bytes > (document->max_bytes != 0 ? document->max_bytes : MAX_BYTES)) {
        fail(&run, HR_FULL, why_of(HR_FULL));
        return;
    }
    struct hr_status status = classify(work, document, &n_members, &run.form);
    if (!hr_is_ok(status)) {
        fail(&run, status.code,
             status.code == HR_NOT_FOUND ? "the members of the archive are of different forms"
                                         : why_of(status.code));
        return;
    }
    result->form = run.form->name;
    result->kind = run.form->kind;
    const struct norm_iso_feed *usual =
        run.form->feed != NULL ? norm_iso_feed_of(hr_bytes_of(run.form->feed, strlen(run.form->feed))) : NULL;
    if (run.feed == NULL) {
        run.feed = usual;
        result->feed = usual;
    }
    if (run.form->kind == NORM_ISO_REFERENCE) {
        run.zone = norm_iso_zone(document->zones, run.form->iso);
        read_rows(work, &run, n_members);
        return;
    }
    if (run.form->kind != NORM_ISO_DATA) {
        return;
    }
    if (run.feed == NULL || !is_of_feed(run.form, usual, run.feed)) {
        const char *name = usual != NULL ? usual->name : "none";
        fail_for(&run, HR_NOT_FOUND, "the document is not of the feed that it was asked for, but of",
                 hr_bytes_of(name, strlen(name)));
        return;
    }
    run.tells_places = run.feed->product == NORM_ISO_DA_LMP || run.feed->product == NORM_ISO_RT_LMP ||
                       run.feed->product == NORM_ISO_CONSTRAINT;
    run.zone = norm_iso_zone(document->zones, run.feed->iso);
    read_rows(work, &run, n_members);
}
