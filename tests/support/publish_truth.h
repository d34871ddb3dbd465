/* SPDX-License-Identifier: Apache-2.0
 *
 * What must be true of publish_world.h's world, whatever failed in it; a test fails where it is not. */
#ifndef PUBLISH_TRUTH_H
#define PUBLISH_TRUTH_H

#include <stdbool.h>

/* What is committed in Kafka is in order, live events are there once, and each correction is its next
 * revision. */
void publish_truth_records(void);
/* Each row of the documents is an event once, with its revision, or none: as one who reads the log from its
 * beginning would say. */
void publish_truth_observed(void);
/* Behind publish_truth_records: every record of every leaf has its events; with the whole replayed they are
 * those of this version. */
void publish_truth_complete(bool all_replayed);
/* The feed entries are what a fold over the leaves gives that never failed. */
void publish_truth_entries(void);

#endif
