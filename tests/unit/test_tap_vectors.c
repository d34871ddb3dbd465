/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/tap_listener.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CASE_LINES_MAX = 64 };

static struct listener t;

struct expectation {
    char name[80];
    size_t n_messages;
    const char *message[CASE_LINES_MAX];
    uint64_t counter[TAP_AIS_N_COUNTERS];
};

static size_t unescape(const char *text, char *out)
{
    size_t n = 0;
    while (*text != '\0') {
        unsigned code = (unsigned char)*text;
        size_t used = 1;
        if (*text == '%') {
            assert_int_equal(sscanf(text + 1, "%2x", &code), 1);
            used = 3;
        }
        out[n++] = (char)code;
        text += used;
    }
    return n;
}

static void expect_counter(struct expectation *expected, const char *text)
{
    char name[64];
    unsigned long long value = 0;
    assert_int_equal(sscanf(text, "%63s %llu", name, &value), 2);
    for (int i = 0; i < TAP_AIS_N_COUNTERS; i++) {
        if (strcmp(tap_ais_counter_name((enum tap_ais_counter)i), name) == 0) {
            expected->counter[i] = value;
            return;
        }
    }
    fail_msg("%s: no counter %s", expected->name, name);
}

/* Carries out one line of a case, or notes what it expects. */
static void take_step(const char *line, size_t piece_bytes, struct expectation *expected)
{
    char bytes[LISTENER_LINE_MAX];
    if (line[0] == '>') {
        bool raw = line[1] == '>';
        size_t len = unescape(line + (raw ? 3 : 2), bytes);
        if (!raw) {
            bytes[len++] = '\n';
        }
        listener_feed(&t, 0, bytes, len, piece_bytes);
    } else if (line[0] == '=') {
        assert_true(expected->n_messages < CASE_LINES_MAX);
        expected->message[expected->n_messages++] = line + 2;
    } else if (line[0] == '+') {
        expect_counter(expected, line + 2);
    } else if (strncmp(line, "wait ", 5) == 0) {
        t.uptime_ms += strtoull(line + 5, NULL, 10);
    } else if (strcmp(line, "tick") == 0) {
        tap_ais_tick(&t.tap, t.uptime_ms);
    } else if (strcmp(line, "line") == 0) {
        tap_ais_end_line(&t.tap, &t.stream[0], t.uptime_ms);
    } else if (strcmp(line, "end") == 0) {
        tap_ais_end_stream(&t.tap, &t.stream[0], t.uptime_ms);
    } else {
        fail_msg("%s: what is '%s'?", expected->name, line);
    }
}

static void check_case(const struct expectation *expected, size_t piece_bytes)
{
    char wanted[LISTENER_LINE_MAX];
    if (t.n_heard != expected->n_messages) {
        fail_msg("%s in pieces of %zu: %zu messages, not %zu", expected->name, piece_bytes, t.n_heard,
                 expected->n_messages);
    }
    for (size_t i = 0; i < t.n_heard; i++) {
        wanted[unescape(expected->message[i], wanted)] = '\0';
        if (strcmp(t.heard[i], wanted) != 0) {
            fail_msg("%s in pieces of %zu, message %zu:\n%s\nnot\n%s", expected->name, piece_bytes, i,
                     t.heard[i], wanted);
        }
    }
    for (int i = 0; i < TAP_AIS_N_COUNTERS; i++) {
        if (t.tap.counter[i] != expected->counter[i]) {
            fail_msg("%s in pieces of %zu: %s is %llu, not %llu", expected->name, piece_bytes,
                     tap_ais_counter_name((enum tap_ais_counter)i), (unsigned long long)t.tap.counter[i],
                     (unsigned long long)expected->counter[i]);
        }
    }
}

/* Runs the case whose lines are lines[0..n), and marks the counters that it makes count. */
static void run_case(char **lines, size_t n, size_t piece_bytes, bool reached[TAP_AIS_N_COUNTERS])
{
    struct expectation expected = {0};
    (void)snprintf(expected.name, sizeof expected.name, "%s", lines[0] + 5);
    listener_start(&t);
    for (size_t i = 1; i < n; i++) {
        take_step(lines[i], piece_bytes, &expected);
    }
    check_case(&expected, piece_bytes);
    for (size_t i = 0; i < TAP_AIS_N_COUNTERS; i++) {
        reached[i] |= t.tap.counter[i] > 0;
    }
}

static size_t run_vectors(char **lines, size_t n_lines, size_t piece_bytes, bool reached[TAP_AIS_N_COUNTERS])
{
    size_t n_cases = 0;
    for (size_t i = 0; i < n_lines; i++) {
        if (strncmp(lines[i], "case ", 5) != 0) {
            continue;
        }
        size_t end = i + 1;
        while (end < n_lines && strncmp(lines[end], "case ", 5) != 0) {
            end++;
        }
        run_case(lines + i, end - i, piece_bytes, reached);
        n_cases++;
    }
    return n_cases;
}

static void lines_become_what_the_vectors_say_however_they_are_cut(void **state)
{
    (void)state;
    enum { LINES_MAX = 1000 };
    static char text[1 << 16];
    static char *lines[LINES_MAX];
    bool reached[TAP_AIS_N_COUNTERS] = {false};
    size_t n_lines = 0;
    FILE *file = fopen("tests/vectors/ais/lines.txt", "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    assert_true(len > 0 && len < sizeof text - 1);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (line[0] != '#') {
            assert_true(n_lines < LINES_MAX);
            lines[n_lines++] = line;
        }
    }
    size_t n_cases = run_vectors(lines, n_lines, SIZE_MAX, reached);
    assert_true(n_cases > 60);
    for (size_t piece = 1; piece < 200; piece++) {
        assert_int_equal(run_vectors(lines, n_lines, piece, reached), n_cases);
    }
    print_message("%zu cases, each cut in 200 ways\n", n_cases);
    /* The rest are tables that overflow, and have tests of their own in test_tap_ais.c. */
    for (size_t i = 0; i < TAP_AIS_N_COUNTERS; i++) {
        bool elsewhere = i == TAP_AIS_LINE_TOO_LONG || i == TAP_AIS_OVERSIZE_MESSAGE ||
                         i == TAP_AIS_ASSEMBLY_EVICTED || i >= TAP_AIS_SUPPRESSED_DUPLICATE;
        assert_true(reached[i] || elsewhere);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_become_what_the_vectors_say_however_they_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
