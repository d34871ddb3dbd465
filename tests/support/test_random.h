/* SPDX-License-Identifier: Apache-2.0
 *
 * Chance for tests: the same numbers for the same seed, everywhere. */
#ifndef TEST_RANDOM_H
#define TEST_RANDOM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct test_random {
    uint64_t state;
};

/* Starts from the environment's HEADRACE_TEST_SEED, or from `fallback`, and prints the seed. */
static inline struct test_random test_random_start(uint64_t fallback)
{
    const char *text = getenv("HEADRACE_TEST_SEED");
    uint64_t seed = text == NULL ? fallback : strtoull(text, NULL, 10);
    (void)printf("seed %llu\n", (unsigned long long)seed);
    return (struct test_random){seed};
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t test_random_next(struct test_random *random)
{
    uint64_t mixed = random->state += 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
    return mixed ^ (mixed >> 31);
}

/* A number from 0 to below - 1. */
static inline uint32_t test_random_below(struct test_random *random, uint32_t below)
{
    return (uint32_t)(test_random_next(random) % below);
}

static inline void test_random_fill(struct test_random *random, uint8_t *out, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        out[i] = (uint8_t)test_random_next(random);
    }
}

#endif
