/* SPDX-License-Identifier: Apache-2.0 */
#ifndef APP_TIME_H
#define APP_TIME_H

#include "aggregator/io/clock.h"

#include <pthread.h>
#include <time.h>

/* The machine's clocks. Static storage; [any thread]. */
const struct agg_clock *app_clock(void);
uint64_t app_monotonic_ms(void);

/* Condition variables here wait by the monotonic clock: a step of the other one must not stop a thread. */
void app_cond_init(pthread_cond_t *cond);
struct timespec app_deadline_in_ms(uint32_t wait_ms);

#endif
