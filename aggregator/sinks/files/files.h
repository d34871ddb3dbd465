/* SPDX-License-Identifier: Apache-2.0
 *
 * The file sink: one Avro object container file per topic and hour of receipt,
 * DIR/<topic>/<topic>-YYYYMMDDTHHZ.avro. Once an hour is over its file never changes again. Exactly once, by
 * a cursor file that names the committed length of each open file: what a crash left behind that length is
 * cut off before anything is added. One publisher thread drives a sink. */
#ifndef SINK_FILES_H
#define SINK_FILES_H

#include "aggregator/io/sink.h"

enum {
    SINK_FILES_MAX_TOPICS = 64,
    SINK_FILES_PATH_MAX_CHARS = 511,
    SINK_FILES_MAX_VALUE_BYTES = 65536,
};

struct sink_files_topic {
    const char *name;   /* also the folder */
    const char *schema; /* of schemas/avro; "ingestion_raw" for raw batches */
};

struct sink_files_config {
    const char *directory; /* made when it is missing; it belongs to the sink */
    const struct sink_files_topic *topics;
    size_t n_topics;
    void (*log)(void *ctx, const char *event, const char *text); /* failures and recoveries */
    void *log_ctx;
};

/* Makes the sink; the configuration is copied. HR_FULL: more than SINK_FILES_MAX_TOPICS topics or a path too
 * long. Nothing is opened before recover, which answers HR_IO while the directory can't be used and
 * HR_CORRUPT when it belongs to another log, is ahead of the ledger, or holds less than its cursor says. */
HR_MUST_USE struct hr_status sink_files_open(const struct sink_files_config *config, struct sink *out);

#endif
