/* SPDX-License-Identifier: Apache-2.0
 *
 * What limits requests, each by itself, with time that the test makes. */
#include "firmware/taps/poll/limit.h"
#include "firmware/taps/poll/memory.h"
#include "proto/base/assert.h"
#include "proto/feeds/zone.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

/* ---- token bucket ---- */

static void a_bucket_gives_one_token_each_period(void **state)
{
    (void)state;
    struct poll_bucket bucket;
    poll_bucket_init(&bucket, 5000, 1, 1000);
    assert_int_equal(poll_bucket_ready_ms(&bucket), 6000); /* empty after a start */
    poll_bucket_take(&bucket, 6000);
    assert_int_equal(poll_bucket_ready_ms(&bucket), 11000);
    poll_bucket_take(&bucket, 60000); /* a long pause gives no second token */
    assert_int_equal(poll_bucket_ready_ms(&bucket), 65000);
    poll_bucket_stretch(&bucket, 700);
    assert_int_equal(poll_bucket_ready_ms(&bucket), 65700);
}

static void a_bucket_never_gives_more_than_its_burst_and_rate(void **state)
{
    (void)state;
    enum { EVERY_MS = 2000, BURST = 3, MINUTE_MS = 60000 };
    struct poll_bucket bucket;
    poll_bucket_init(&bucket, EVERY_MS, BURST, 0);
    uint64_t taken[2000];
    size_t n_taken = 0;
    for (uint64_t now_ms = 0; now_ms < UINT64_C(20) * MINUTE_MS; now_ms += 37) {
        bool is_idle = now_ms % 300000 > 200000;
        if (!is_idle && poll_bucket_ready_ms(&bucket) <= now_ms) {
            poll_bucket_take(&bucket, now_ms);
            taken[n_taken++] = now_ms;
        }
    }
    assert_true(n_taken > 300);
    for (size_t i = 0; i < n_taken; i++) {
        size_t in_minute = 0;
        for (size_t j = i; j < n_taken && taken[j] < taken[i] + MINUTE_MS; j++) {
            in_minute++;
        }
        assert_true(in_minute <= MINUTE_MS / EVERY_MS + BURST);
    }
}

static void take_too_early(void *ctx)
{
    struct poll_bucket *bucket = ctx;
    poll_bucket_take(bucket, 0);
}

static void taking_without_a_token_is_our_bug(void **state)
{
    (void)state;
    struct poll_bucket bucket;
    poll_bucket_init(&bucket, 5000, 1, 0);
    assert_true(test_asserts(take_too_early, &bucket));
}

/* ---- quotas ---- */

static void no_hour_holds_more_than_the_quota(void **state)
{
    (void)state;
    enum { HOUR_MS = 3600000, LIMIT = 50 };
    const uint64_t limits[POLL_AMOUNTS] = {LIMIT, 1000000, 1000};
    const uint64_t wanted[POLL_AMOUNTS] = {1, 1000, 1};
    struct poll_quota quota;
    poll_quota_init(&quota, limits);
    uint64_t used[1000];
    size_t n_used = 0;
    for (uint64_t now_ms = 123456; now_ms < UINT64_C(8) * HOUR_MS; now_ms += 9973) {
        uint64_t ready_ms = poll_quota_ready_ms(&quota, wanted, now_ms);
        if (ready_ms > now_ms) {
            assert_true(ready_ms <= now_ms + HOUR_MS + POLL_QUOTA_SLOT_MS);
            continue;
        }
        poll_quota_use(&quota, POLL_REQUESTS, 1, now_ms);
        used[n_used++] = now_ms;
    }
    assert_true(n_used > 7 * LIMIT);
    for (size_t i = 0; i + LIMIT < n_used; i++) {
        assert_true(used[i + LIMIT] - used[i] >= HOUR_MS);
    }
}

static void room_for_a_whole_body_is_kept_before_it_is_asked_for(void **state)
{
    (void)state;
    const uint64_t limits[POLL_AMOUNTS] = {100, 1000, 100};
    const uint64_t wanted[POLL_AMOUNTS] = {1, 600, 1};
    struct poll_quota quota;
    poll_quota_init(&quota, limits);
    poll_quota_use(&quota, POLL_BYTES, 400, 0);
    assert_int_equal(poll_quota_ready_ms(&quota, wanted, 10), 10);
    poll_quota_use(&quota, POLL_BYTES, 1, 600000);
    assert_int_equal(poll_quota_used(&quota, POLL_BYTES, 600000), 401);
    /* The 400 of minute 0 are gone when the slot of minute 65 begins. */
    assert_int_equal(poll_quota_ready_ms(&quota, wanted, 600000), 65 * 60000);
    assert_int_equal(poll_quota_ready_ms(&quota, wanted, 65 * 60000), 65 * 60000);
    assert_int_equal(poll_quota_used(&quota, POLL_BYTES, 65 * 60000), 1);
    assert_int_equal(poll_quota_used(&quota, POLL_BYTES, UINT64_C(1) << 40), 0);
}

/* ---- circuit breaker ---- */

static void break_once(struct poll_breaker *breaker, uint64_t now_ms)
{
    poll_breaker_begin(breaker, now_ms);
    poll_breaker_end(breaker, false, now_ms);
}

static void a_breaker_opens_tries_once_and_closes(void **state)
{
    (void)state;
    struct poll_breaker breaker;
    poll_breaker_init(&breaker, 30000);
    for (uint32_t i = 0; i < POLL_BREAKER_FAILURES; i++) {
        assert_int_equal(breaker.state, POLL_CLOSED);
        break_once(&breaker, 1000);
    }
    assert_int_equal(breaker.state, POLL_OPEN);
    assert_int_equal(poll_breaker_ready_ms(&breaker), 31000);

    poll_breaker_begin(&breaker, 31000);
    assert_int_equal(breaker.state, POLL_HALF_OPEN);
    assert_true(poll_breaker_ready_ms(&breaker) == UINT64_MAX);
    poll_breaker_end(&breaker, false, 32000);
    assert_int_equal(breaker.state, POLL_OPEN);
    assert_int_equal(poll_breaker_ready_ms(&breaker), 92000); /* twice as long */

    poll_breaker_begin(&breaker, 92000);
    poll_breaker_end(&breaker, true, 92500);
    assert_int_equal(breaker.state, POLL_CLOSED);
    assert_int_equal(poll_breaker_ready_ms(&breaker), 0);
    assert_int_equal(breaker.opened, 2);
}

static void a_breaker_counts_failures_in_a_row_and_is_never_open_for_ever(void **state)
{
    (void)state;
    struct poll_breaker breaker;
    poll_breaker_init(&breaker, 30000);
    for (uint32_t i = 0; i < 50; i++) {
        break_once(&breaker, i);
        poll_breaker_begin(&breaker, i);
        poll_breaker_end(&breaker, true, i);
    }
    assert_int_equal(breaker.state, POLL_CLOSED);
    uint64_t now_ms = 1000;
    for (uint32_t i = 0; i < 60; i++) {
        break_once(&breaker, now_ms);
        now_ms = poll_breaker_ready_ms(&breaker) > now_ms ? poll_breaker_ready_ms(&breaker) : now_ms;
        assert_true(now_ms <= 1000 + UINT64_C(60) * POLL_BREAKER_LONGEST_MS);
    }
    assert_int_equal(breaker.open_for_ms, POLL_BREAKER_LONGEST_MS);
    assert_string_equal(poll_breaker_name(breaker.state), "open");
    assert_string_equal(poll_breaker_name(POLL_HALF_OPEN), "half_open");
}

/* ---- pauses ---- */

static void pauses_are_anything_up_to_a_doubling_bound(void **state)
{
    (void)state;
    assert_int_equal(poll_backoff_ms(1000, 60000, 0, 0), 0);
    assert_int_equal(poll_backoff_ms(1000, 60000, 0, UINT32_MAX), 1000);
    assert_int_equal(poll_backoff_ms(1000, 60000, 3, UINT32_MAX), 8000);
    assert_int_equal(poll_backoff_ms(1000, 60000, 3, UINT32_C(1) << 31), 4000);
    assert_int_equal(poll_backoff_ms(1000, 60000, 6, UINT32_MAX), 60000);
    assert_int_equal(poll_backoff_ms(1000, 60000, UINT32_MAX, UINT32_MAX), 60000);
}

static void retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    /* RFC 9110, 5.6.7: three ways to write 1994-11-06 08:49:37, which is 784111777. The second means this
     * century here, as two digits of a server alive today do. */
    static const struct {
        const char *text;
        int64_t utc_ms;
        uint32_t wanted_ms;
    } rows[] = {
        {"120", 0, 120000},
        {" 0 ", 0, 0},
        {"99999999999999999999", 0, POLL_RETRY_AFTER_MAX_MS},
        {"Sun, 06 Nov 1994 08:49:37 GMT", INT64_C(784111717000), 60000},
        {"Sunday, 06-Nov-94 08:49:37 GMT", INT64_C(3939871767000), 10000},
        {"Sun Nov  6 08:49:37 1994", INT64_C(784111776500), 500},
        {"Sun, 06 Nov 1994 08:49:37 GMT", INT64_C(784111777001), 0},
        {"Sun, 06 Nov 1999 08:49:37 GMT", INT64_C(784111777001), POLL_RETRY_AFTER_MAX_MS},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(rows); i++) {
        uint32_t wait_ms = 7;
        assert_true(poll_retry_after_ms(rows[i].text, rows[i].utc_ms, &wait_ms));
        assert_int_equal(wait_ms, rows[i].wanted_ms);
    }
    static const char *const wrong[] = {"",
                                        "soon",
                                        "-1",
                                        "12x",
                                        "Sun, 06 Nov 1994 08:49:37",
                                        "Sun, 06 Nov 1994 24:00:00 GMT",
                                        "Sun, 32 Nov 1994 08:49:37 GMT",
                                        "Sun, 06 Nox 1994 08:49:37 GMT",
                                        "Sun, 06 Nov 1994 08:49:37 GMT+1",
                                        "Sun Nov  6 08:49:37",
                                        "Sun",
                                        ","};
    for (size_t i = 0; i < HR_ARRAY_LEN(wrong); i++) {
        uint32_t wait_ms = 7;
        assert_false(poll_retry_after_ms(wrong[i], 0, &wait_ms));
        assert_int_equal(wait_ms, 7);
    }
}

/* ---- memory of answers ---- */

static void the_same_content_of_the_same_request_is_known(void **state)
{
    (void)state;
    struct poll_memory memory = {.next = 0};
    struct poll_answer answer = {.request = poll_request_hash("https://h/a"), .len_bytes = 3};
    answer.sha256[0] = 1;
    assert_null(poll_memory_find(&memory, answer.request));
    assert_false(poll_memory_take(&memory, &answer));
    assert_true(poll_memory_take(&memory, &answer));
    struct poll_answer other = answer;
    other.request = poll_request_hash("https://h/b");
    assert_false(poll_memory_take(&memory, &other)); /* of another request it is news */
    other.sha256[31] = 9;
    assert_false(poll_memory_take(&memory, &other));
    assert_true(poll_memory_take(&memory, &other));
    memcpy(answer.etag, "\"x\"", 4);
    assert_true(poll_memory_take(&memory, &answer)); /* a new validator of old content is kept */
    assert_string_equal(poll_memory_find(&memory, answer.request)->etag, "\"x\"");
    for (uint32_t i = 0; i < POLL_MEMORY_PLACES; i++) {
        other.request = 1000 + i;
        assert_false(poll_memory_take(&memory, &other));
    }
    assert_null(poll_memory_find(&memory, answer.request));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_gives_one_token_each_period),
        cmocka_unit_test(a_bucket_never_gives_more_than_its_burst_and_rate),
        cmocka_unit_test(taking_without_a_token_is_our_bug),
        cmocka_unit_test(no_hour_holds_more_than_the_quota),
        cmocka_unit_test(room_for_a_whole_body_is_kept_before_it_is_asked_for),
        cmocka_unit_test(a_breaker_opens_tries_once_and_closes),
        cmocka_unit_test(a_breaker_counts_failures_in_a_row_and_is_never_open_for_ever),
        cmocka_unit_test(pauses_are_anything_up_to_a_doubling_bound),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
        cmocka_unit_test(the_same_content_of_the_same_request_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
