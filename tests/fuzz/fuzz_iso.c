/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a document of an operator. Whatever it is, the result says it; a document that fails gives no
 * row; what comes out has an interval, a key and a finite value; and a second reading gives the same. */
#include "aggregator/normalize/iso/iso.h"
#include "aggregator/zoneinfo/zoneinfo.h"
#include "proto/base/assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

enum { MAX_BYTES = 1 << 20 };

static struct norm_zones zones;
static struct norm_iso_work *work;

struct seen {
    uint64_t n_rows;
    uint64_t content;
};

static void take_row(void *ctx, const struct norm_iso_row *row)
{
    struct seen *seen = ctx;
    char key[NORM_ISO_KEY_CHARS];
    norm_iso_key(row, key);
    HR_ASSERT(row->end_s >= row->start_s && strlen(key) > 0 && strlen(key) < NORM_ISO_KEY_CHARS);
    HR_ASSERT((row->has & NORM_ISO_HAS_VALUE) == 0 || isfinite(row->value));
    seen->n_rows++;
    seen->content = seen->content * 31 + norm_iso_content(row) + (uint64_t)row->start_s;
}

static void start(void)
{
    char message[ZONEINFO_MESSAGE_CHARS];
    void *memory = calloc(1, norm_iso_work_bytes());
    HR_ASSERT(memory != NULL && hr_is_ok(zoneinfo_load(NULL, &zones, message)));
    work = norm_iso_work_in(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    static const char NAME[] = "history/20251102/wind"; /* which some forms take a day and a subject from */
    const struct norm_iso_document document = {.body = hr_bytes_of(data, len_bytes),
                                               .name = hr_bytes_of(NAME, sizeof NAME - 1),
                                               .zones = &zones,
                                               .max_bytes = MAX_BYTES};
    struct seen seen[2] = {{0}, {0}};
    if (work == NULL) {
        start();
    }
    for (size_t i = 0; i < 2; i++) {
        struct norm_iso_result result;
        norm_iso_document(work, &document, &(struct norm_iso_sink){.row = take_row, .ctx = &seen[i]},
                          &result);
        HR_ASSERT(result.n_rows == seen[i].n_rows);
        HR_ASSERT(result.code == HR_OK || seen[i].n_rows == 0);
    }
    HR_ASSERT(seen[0].n_rows == seen[1].n_rows && seen[0].content == seen[1].content);
    return 0;
}
