/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/sinks/files/files_private.h"
#include "proto/base/assert.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    CURSOR_MAX_BYTES = 8192,
    SECONDS_PER_HOUR = 3600,
    MAX_HOUR = 70000000 /* year 9955 */,
    HOUR_NAME_CHARS = 12,
    CURSOR_LINE_WORDS = 4
};

/* "20261121T03Z": sorts as time does. */
static void hour_name(int64_t hour, char out[HOUR_NAME_CHARS + 1])
{
    time_t start = (time_t)(hour * SECONDS_PER_HOUR);
    struct tm utc;
    if (gmtime_r(&start, &utc) == NULL ||
        strftime(out, HOUR_NAME_CHARS + 1, "%Y%m%dT%HZ", &utc) != HOUR_NAME_CHARS) {
        memcpy(out, "00000000T00Z", HOUR_NAME_CHARS + 1);
    }
}

void sink_files_path(const struct sink_files *sink, const struct files_topic *topic,
                     char out[SINK_FILES_PATH_MAX_CHARS + 1])
{
    char hour[HOUR_NAME_CHARS + 1];
    hour_name(topic->hour, hour);
    int len = snprintf(out, SINK_FILES_PATH_MAX_CHARS + 1, "%s/%s/%s-%s.avro", sink->directory, topic->name,
                       topic->name, hour);
    HR_ASSERT(len > 0 && len <= SINK_FILES_PATH_MAX_CHARS); /* sink_files_open saw to it */
}

static void path_in(const struct sink_files *sink, const char *name, char out[SINK_FILES_PATH_MAX_CHARS + 1])
{
    int len = snprintf(out, SINK_FILES_PATH_MAX_CHARS + 1, "%s/%s", sink->directory, name);
    HR_ASSERT(len > 0 && len <= SINK_FILES_PATH_MAX_CHARS);
}

static struct hr_status complain(const struct sink_files *sink, const char *event, const char *path)
{
    char text[SINK_FILES_PATH_MAX_CHARS + 128];
    (void)snprintf(text, sizeof text, "%s: %s", path, strerror(errno));
    sink->config.log(sink->config.log_ctx, event, text);
    return hr_status_of(HR_IO);
}

static struct hr_status sync_directory(const struct sink_files *sink, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    struct hr_status status = synced ? hr_ok() : complain(sink, "files_directory_not_synced", path);
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

struct hr_status sink_files_sync_folder(const struct sink_files *sink, const char *topic)
{
    char path[SINK_FILES_PATH_MAX_CHARS + 1];
    path_in(sink, topic, path);
    return sync_directory(sink, path);
}

struct hr_status sink_files_prepare(struct sink_files *sink)
{
    if (mkdir(sink->directory, 0755) != 0 && errno != EEXIST) {
        return complain(sink, "files_directory_not_made", sink->directory);
    }
    for (size_t i = 0; i < sink->n_topics; i++) {
        char path[SINK_FILES_PATH_MAX_CHARS + 1];
        path_in(sink, sink->topics[i].name, path);
        if (mkdir(path, 0755) != 0 && errno != EEXIST) {
            return complain(sink, "files_directory_not_made", path);
        }
    }
    return sync_directory(sink, sink->directory);
}

/* ---- the cursor ---- */

static struct files_topic *topic_of(struct sink_files *sink, const char *name)
{
    for (size_t i = 0; i < sink->n_topics; i++) {
        if (strcmp(sink->topics[i].name, name) == 0) {
            return &sink->topics[i];
        }
    }
    return NULL;
}

/* Splits a line at its spaces; 0 when it has more words than any line of a cursor. */
static size_t split_line(char *line, const char *words[CURSOR_LINE_WORDS])
{
    size_t n = 0;
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        if (n == CURSOR_LINE_WORDS) {
            return 0;
        }
        words[n++] = word;
    }
    return n;
}

static bool parse_unsigned(const char *text, uint64_t *number)
{
    char *end = NULL;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

static bool parse_signed(const char *text, int64_t *number)
{
    char *end = NULL;
    errno = 0;
    *number = strtoll(text, &end, 10);
    return end != text && *end == '\0' && errno == 0;
}

/* Takes what "file" tells: a topic, the hour it writes and the length of that hour's file. */
static bool take_file(struct sink_files *sink, const char *const values[CURSOR_LINE_WORDS - 1])
{
    int64_t hour;
    uint64_t length_bytes;
    if (strlen(values[0]) > FILES_TOPIC_MAX_CHARS || !parse_signed(values[1], &hour) || hour < 0 ||
        hour > MAX_HOUR || !parse_unsigned(values[2], &length_bytes)) {
        return false;
    }
    struct files_topic *topic = topic_of(sink, values[0]);
    if (topic == NULL) {
        sink->config.log(sink->config.log_ctx, "files_topic_no_longer_written", values[0]);
        return true;
    }
    topic->hour = hour;
    topic->length_bytes = length_bytes;
    return true;
}

/* Takes one line but the first and the last; false when it is none of a cursor. */
static bool take_line(struct sink_files *sink, char *line)
{
    const char *words[CURSOR_LINE_WORDS];
    size_t n = split_line(line, words);
    if (n == 4 && strcmp(words[0], "file") == 0) {
        return take_file(sink, words + 1);
    }
    if (n == 2 && strcmp(words[0], "log") == 0) {
        int len = snprintf(sink->cursor.origin, sizeof sink->cursor.origin, "%s", words[1]);
        return len >= 0 && (size_t)len < sizeof sink->cursor.origin;
    }
    struct sink_cursor *at = &sink->cursor.at;
    if (n == 3 && strcmp(words[0], "replay") == 0) {
        return parse_unsigned(words[1], &at->replay) && parse_unsigned(words[2], &at->replay_next_leaf);
    }
    if (n == 2 && strcmp(words[0], "entries") == 0) {
        return parse_unsigned(words[1], &at->n_entries);
    }
    return n == 2 && strcmp(words[0], "next_leaf") == 0 && parse_unsigned(words[1], &at->next_leaf);
}

static struct hr_status parse_cursor(struct sink_files *sink, char *text, const char *log_origin)
{
    char *rest = NULL;
    char *line = strtok_r(text, "\n", &rest);
    bool good = line != NULL && strcmp(line, "headrace-files 1") == 0;
    bool ended = false;
    while (good && !ended && (line = strtok_r(NULL, "\n", &rest)) != NULL) {
        ended = strcmp(line, "end") == 0;
        good = ended || take_line(sink, line);
    }
    bool ours = good && ended && strcmp(sink->cursor.origin, log_origin) == 0;
    return ours ? hr_ok() : hr_status_of(HR_CORRUPT);
}

struct hr_status sink_files_read_cursor(struct sink_files *sink, const struct sink_log *log)
{
    for (size_t i = 0; i < sink->n_topics; i++) {
        sink->topics[i].hour = FILES_NO_HOUR;
        sink->topics[i].length_bytes = 0;
    }
    memset(&sink->cursor, 0, sizeof sink->cursor);
    char path[SINK_FILES_PATH_MAX_CHARS + 1];
    path_in(sink, "cursor", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        (void)snprintf(sink->cursor.origin, sizeof sink->cursor.origin, "%s", log->origin);
        sink->cursor.at.next_leaf = log->first_leaf;
        return sink_files_start_cursor(sink);
    }
    static const char unreadable[] = "files_cursor_not_read";
    if (fd < 0) {
        return complain(sink, unreadable, path);
    }
    char text[CURSOR_MAX_BYTES + 1];
    ssize_t len = read(fd, text, CURSOR_MAX_BYTES);
    (void)close(fd);
    if (len < 0) {
        return complain(sink, unreadable, path);
    }
    text[len] = '\0';
    return parse_cursor(sink, text, log->origin);
}

static struct hr_status write_whole(const struct sink_files *sink, const char *path, const char *text,
                                    size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool written = fd >= 0 && write(fd, text, len) == (ssize_t)len && fdatasync(fd) == 0;
    struct hr_status status = written ? hr_ok() : complain(sink, "files_cursor_not_written", path);
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

struct hr_status sink_files_write_cursor(struct sink_files *sink)
{
    char text[CURSOR_MAX_BYTES];
    int len = snprintf(text, sizeof text, "headrace-files 1\nlog %s\nnext_leaf %" PRIu64 "\n",
                       sink->cursor.origin, sink->cursor.at.next_leaf);
    if (sink->cursor.at.replay != 0) {
        len += snprintf(text + len, sizeof text - (size_t)len, "replay %" PRIu64 " %" PRIu64 "\n",
                        sink->cursor.at.replay, sink->cursor.at.replay_next_leaf);
    }
    if (sink->cursor.at.n_entries != 0) {
        len += snprintf(text + len, sizeof text - (size_t)len, "entries %" PRIu64 "\n",
                        sink->cursor.at.n_entries);
    }
    for (size_t i = 0; i < sink->n_topics; i++) {
        const struct files_topic *topic = &sink->topics[i];
        if (topic->hour != FILES_NO_HOUR) {
            len += snprintf(text + len, sizeof text - (size_t)len, "file %s %" PRId64 " %" PRIu64 "\n",
                            topic->name, topic->hour, topic->length_bytes);
        }
    }
    len += snprintf(text + len, sizeof text - (size_t)len, "end\n");
    HR_ASSERT((size_t)len < sizeof text); /* 32 lines of at most 140 characters */
    char fresh[SINK_FILES_PATH_MAX_CHARS + 1];
    char path[SINK_FILES_PATH_MAX_CHARS + 1];
    path_in(sink, "cursor.new", fresh);
    path_in(sink, "cursor", path);
    HR_TRY(write_whole(sink, fresh, text, (size_t)len));
    if (rename(fresh, path) != 0) {
        return complain(sink, "files_cursor_not_written", path);
    }
    return sync_directory(sink, sink->directory);
}

/* ---- what was never committed ---- */

/* True for a file of this topic whose hour is later than the cursor's. */
static bool is_alien(const struct files_topic *topic, const char *file_name)
{
    size_t prefix = strlen(topic->name);
    if (strncmp(file_name, topic->name, prefix) != 0 || file_name[prefix] != '-' ||
        strlen(file_name) != prefix + 1 + HOUR_NAME_CHARS + sizeof ".avro" - 1) {
        return false;
    }
    char last[HOUR_NAME_CHARS + 1];
    if (topic->hour == FILES_NO_HOUR) {
        return true;
    }
    hour_name(topic->hour, last);
    return strncmp(file_name + prefix + 1, last, HOUR_NAME_CHARS) > 0;
}

/* An uncommitted file of an hour beyond the cursor is certain to be ours and goes. With no hour to compare,
 * the file may also be from before this topic was configured away, so it is put aside instead. */
static struct hr_status put_away(const struct sink_files *sink, const struct files_topic *topic, int folder,
                                 const char *file_name)
{
    bool done = false;
    if (topic->hour != FILES_NO_HOUR) {
        done = unlinkat(folder, file_name, 0) == 0;
    } else {
        char aside[SINK_FILES_PATH_MAX_CHARS + 1];
        (void)snprintf(aside, sizeof aside, "%s.uncommitted", file_name);
        done = renameat(folder, file_name, folder, aside) == 0;
    }
    if (!done) {
        return complain(sink, "files_uncommitted_not_removed", file_name);
    }
    sink->config.log(sink->config.log_ctx, "files_uncommitted_removed", file_name);
    return hr_ok();
}

/* Calls put_away for each alien of the topic, or, with count only, just counts them. */
static struct hr_status each_alien(const struct sink_files *sink, const struct files_topic *topic,
                                   bool count_only, uint32_t *n_aliens)
{
    char folder[SINK_FILES_PATH_MAX_CHARS + 1];
    path_in(sink, topic->name, folder);
    DIR *directory = opendir(folder);
    if (directory == NULL) {
        return complain(sink, "files_directory_not_read", folder);
    }
    int directory_fd = dirfd(directory);
    HR_ASSERT(directory_fd >= 0); /* an open directory has one */
    struct hr_status status = hr_ok();
    for (const struct dirent *entry = readdir(directory); entry != NULL && hr_is_ok(status);
         entry = readdir(directory)) {
        if (is_alien(topic, entry->d_name)) {
            *n_aliens += 1;
            status = count_only ? hr_ok() : put_away(sink, topic, directory_fd, entry->d_name);
        }
    }
    (void)closedir(directory);
    return status;
}

struct hr_status sink_files_remove_aliens(struct sink_files *sink)
{
    for (size_t i = 0; i < sink->n_topics; i++) {
        uint32_t n_aliens = 0;
        HR_TRY(each_alien(sink, &sink->topics[i], false, &n_aliens));
    }
    return hr_ok();
}

struct hr_status sink_files_start_cursor(struct sink_files *sink)
{
    uint32_t n_files = 0;
    for (size_t i = 0; i < sink->n_topics; i++) {
        HR_TRY(each_alien(sink, &sink->topics[i], true, &n_files));
    }
    return n_files > 0 ? hr_status_of(HR_CORRUPT) : sink_files_write_cursor(sink);
}
