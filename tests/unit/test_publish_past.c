/* SPDX-License-Identifier: Apache-2.0
 *
 * Earlier batches that a normalizer asks for while its ledger comes and goes. */
#include "aggregator/core/publish_internal.h"
#include "tests/support/batch_maker.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

static enum hr_code answers[4]; /* of read_stream, one after the other */
static uint32_t n_asked;

static struct hr_status read_stream(void *ctx, const struct ledger_range *range,
                                    void (*each)(void *each_ctx, const struct ledger_batch *batch),
                                    void *each_ctx)
{
    (void)ctx, (void)range, (void)each, (void)each_ctx;
    return hr_status_of(answers[n_asked++]);
}

static struct hr_status anchor_at(void *ctx, uint64_t device_id, uint32_t boot_id, uint64_t leaf,
                                  struct edge_time_anchor *out)
{
    (void)ctx, (void)device_id, (void)boot_id, (void)leaf, (void)out;
    return hr_status_of(HR_NOT_FOUND);
}

static const char *tenant_of(void *ctx, uint64_t device_id)
{
    (void)ctx, (void)device_id;
    return "t";
}

static void see(void *ctx, const struct ledger_batch *batch)
{
    (void)ctx, (void)batch;
}

static bool ask(const struct norm_input *input)
{
    return input->past->read(input->past->ctx, input->batch, 0, 0, see, NULL);
}

/* What a normalizer made without the batches that it did not get must not be published. */
static void a_batch_whose_past_could_not_be_read_once_failed_whatever_came_after(void **state)
{
    (void)state;
    static struct agg_publish publish;
    static struct made_batch made;
    static const struct ledger ledger = {.read_stream = read_stream, .anchor_at = anchor_at};
    const uint8_t former[WIRE_DIGEST_BYTES] = {0};
    struct batch_maker maker;
    struct norm_input input;
    struct edge_time_anchor anchor;
    batch_maker_start(&maker, 1, 0, former);
    batch_maker_plain(&maker, 2, 1, &made);
    const struct ledger_batch batch = {
        .device_id = 1, .seq = 1, .envelope = hr_bytes_of(made.bytes, made.len_bytes)};
    publish.config.ledger = &ledger;
    publish.config.tenant_of = tenant_of;
    answers[0] = HR_OK, answers[1] = HR_AGAIN, answers[2] = HR_OK, answers[3] = HR_OK;
    assert_ok(agg_publish_input(&publish, &batch, &input, &anchor));
    assert_true(ask(&input));
    assert_ok(publish.past_read);
    assert_false(ask(&input));
    assert_true(ask(&input));
    assert_true(hr_is(publish.past_read, HR_AGAIN));
    assert_ok(agg_publish_input(&publish, &batch, &input, &anchor)); /* the batch once more */
    assert_true(ask(&input));
    assert_ok(publish.past_read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_whose_past_could_not_be_read_once_failed_whatever_came_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
