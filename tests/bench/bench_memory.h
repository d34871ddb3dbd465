/* SPDX-License-Identifier: Apache-2.0
 *
 * What the publisher is measured with: a ledger in memory whose batches hold the messages of a recording, and
 * a sink that drops what it is given, or keeps it for others to produce. */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include "aggregator/io/sink.h"
#include "tests/bench/bench_raw.h"

enum { MEMORY_MAX_BATCHES = 65536, MEMORY_DEVICES = 16 }; /* devices 1 to 16 */

/* Makes n_batches batches of so many records out of an NMEA recording, again and again from its beginning; as
 * collectors seal them but for the signature, which a publisher does not look at. Ends the process when the
 * file can't be read or so many records don't go into a batch. Once. */
void memory_make(const char *path, uint32_t records_per_batch, uint32_t n_batches);

/* The ledger: these batches again and again, *n_leaves of them, which may grow. Each process has another log.
 */
struct ledger memory_ledger(uint64_t *n_leaves);

/* A sink that drops everything; or, with messages, keeps it as what a Kafka sink would send. */
struct sink memory_sink(struct raw_messages *messages);

#endif
