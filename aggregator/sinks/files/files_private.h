/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share. The cursor file, DIR/cursor, is text:
 *
 *     headrace-files 1
 *     log <origin>
 *     next_leaf <n>
 *     replay <id> <leaf>                                    while a replay is under way: how far it has got
 *     entries <n>                                           audit entries that are delivered, when there are
 *     file <topic> <hour since 1970> <length in bytes>      a line for each topic that has an open file
 *     end
 *
 * It is replaced as a whole (write, sync, rename, sync of the directory); `end` tells that it is whole. */
#ifndef SINK_FILES_PRIVATE_H
#define SINK_FILES_PRIVATE_H

#include "aggregator/schema_registry/schema.h"
#include "aggregator/sinks/files/files.h"

enum { FILES_TOPIC_MAX_CHARS = 95, FILES_ORIGIN_MAX_CHARS = 63 };

#define FILES_NO_HOUR INT64_MIN

struct files_topic {
    char name[FILES_TOPIC_MAX_CHARS + 1];
    char schema[64];
    int64_t hour;          /* since 1970, of the open file; FILES_NO_HOUR: there has never been one */
    uint64_t length_bytes; /* committed with the cursor */
    struct schema_file *file;
    bool is_new; /* made in this transaction: its folder needs a sync */
};

struct sink_files {
    struct sink_files_config config;
    char directory[SINK_FILES_PATH_MAX_CHARS + 1];
    struct files_topic topics[SINK_FILES_MAX_TOPICS];
    size_t n_topics;
    struct {
        char origin[FILES_ORIGIN_MAX_CHARS + 1];
        struct sink_cursor at;
    } cursor;
    bool ready;                                /* recovered, and no failure since */
    uint8_t value[SINK_FILES_MAX_VALUE_BYTES]; /* of a raw batch */
};

/* Path of the topic's file of its hour. */
void sink_files_path(const struct sink_files *sink, const struct files_topic *topic,
                     char out[SINK_FILES_PATH_MAX_CHARS + 1]);
/* Makes the directory and the topics' folders. HR_IO: not possible (logged). */
HR_MUST_USE struct hr_status sink_files_prepare(struct sink_files *sink);
/* Reads the cursor into sink->cursor and the topics. No cursor is a start from the log's first leaf.
 * HR_CORRUPT: damaged, or of another log. HR_IO: can't be read. */
HR_MUST_USE struct hr_status sink_files_read_cursor(struct sink_files *sink, const struct sink_log *log);
HR_MUST_USE struct hr_status sink_files_write_cursor(struct sink_files *sink);
/* Writes the first cursor of an empty directory. HR_CORRUPT: it holds files already. */
HR_MUST_USE struct hr_status sink_files_start_cursor(struct sink_files *sink);
/* Removes files that a transaction made which was never committed: those of a later hour than the cursor
 * knows. */
HR_MUST_USE struct hr_status sink_files_remove_aliens(struct sink_files *sink);
/* Makes the entries of a topic's folder durable. */
HR_MUST_USE struct hr_status sink_files_sync_folder(const struct sink_files *sink, const char *topic);

/* The row that schemas/avro/ingestion_raw.avsc is checked against. */
extern const struct norm_schema sink_files_raw_schema;

#endif
