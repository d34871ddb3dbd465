/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace tail`: what consumers read, as JSON lines, from the file sink's folder or from a Kafka topic. */
#include "aggregator/schema_registry/registry.h"
#include "aggregator/schema_registry/schema.h"
#include "aggregator/sinks/kafka/tail.h"
#include "tools/cli/cli.h"
#include "tools/cli/kafka_properties.h"
#include "tools/cli/options.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 256 * 1024, SCHEMA_MAX_BYTES = 64 * 1024, WAIT_MS = 200, BROKER_TIMEOUT_MS = 10000 };
enum { PATH_CHARS = 1024, NAME_CHARS = 256 };

enum option { FILES, KAFKA, TOPIC, LIMIT, FOLLOW, NEW, REGISTRY, PROPERTY };

static const struct cli_option options[] = {
    [FILES] = {"--files", "DIR", false, 0, "The folder of the aggregator's file sink."},
    [KAFKA] = {"--kafka", "BROKERS", false, 0, "host:port,... of a Kafka cluster."},
    [TOPIC] = {"--topic", "T", false, 0, "Default: marine.ais.raw."},
    [LIMIT] = {"--limit", "N", false, 0, "End after N events."},
    [FOLLOW] = {"--follow", NULL, false, 0, "Go on as events come, until interrupted."},
    [NEW] = {"--new", NULL, false, 0, "Begin with what comes next, not with what is there."},
    [REGISTRY] = {"--registry", "URL", false, 0, "Schema Registry, for values that were written with one."},
    [PROPERTY] =
        {"--property", "K=V", false, CLI_REPEAT_MAX,
         "A librdkafka property, such as security.protocol=SSL; K_file=PATH: the value is in a file."},
};

static const struct cli_usage usage = {
    .verb = "tail",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .help = "Prints normalized events as JSON lines. Give --files or --kafka.",
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* What both ways of reading share. */
struct tail {
    uint64_t limit; /* 0: none */
    uint64_t n_printed;
    bool broken; /* a value could not be read */
    const char *registry;
    uint32_t schema_id;
    struct schema_decoder *decoder; /* of schema_id */
    char *line;
};

static bool enough(const struct tail *tail)
{
    return interrupted != 0 || (tail->limit != 0 && tail->n_printed >= tail->limit);
}

static void print_line(struct tail *tail, size_t len_bytes)
{
    tail->line[len_bytes] = '\n';
    if (fwrite(tail->line, 1, len_bytes + 1, stdout) != len_bytes + 1) {
        interrupted = 1; /* the reader of our pipe has gone */
    }
    tail->n_printed++;
}

/* ---- files ---- */

/* Names of the topic's files in time's order: they sort as their hours do. */
static int list_files(const char *folder, struct dirent ***names)
{
    int n = scandir(folder, names, NULL, alphasort);
    int kept = 0;
    for (int i = 0; i < n; i++) {
        size_t len = strlen((*names)[i]->d_name);
        if (len > 5 && strcmp((*names)[i]->d_name + len - 5, ".avro") == 0) {
            (*names)[kept++] = (*names)[i];
        } else {
            free((*names)[i]);
        }
    }
    return n < 0 ? -1 : kept;
}

static void free_names(struct dirent **names, int n)
{
    for (int i = 0; i < n; i++) {
        free(names[i]);
    }
    free((void *)names);
}

/* The first file after `last` in time's order, into `last`; false when there is none. */
static bool next_file(const char *folder, char last[NAME_CHARS])
{
    struct dirent **names = NULL;
    int n = list_files(folder, &names);
    bool found = false;
    for (int i = 0; i < n && !found; i++) {
        found = strcmp(names[i]->d_name, last) > 0;
        if (found) {
            (void)snprintf(last, NAME_CHARS, "%s", names[i]->d_name);
        }
    }
    free_names(names, n);
    return found;
}

/* Prints what is whole in the file; false when it is damaged. */
static bool drain(struct tail *tail, struct schema_reader *reader, const char *path, bool print)
{
    while (!enough(tail)) {
        size_t len_bytes = 0;
        struct hr_status status = schema_reader_next(reader, tail->line, LINE_MAX_BYTES - 1, &len_bytes);
        if (hr_is(status, HR_CLOSED)) {
            return true;
        }
        if (!hr_is_ok(status)) {
            (void)fprintf(stderr, "headrace tail: %s is damaged (%s)\n", path, hr_code_name(status.code));
            tail->broken = true;
            return false;
        }
        if (print) {
            print_line(tail, len_bytes);
        }
    }
    return true;
}

/* Reads one file, waiting for more of it until a newer one appears. */
static void read_file(struct tail *tail, const char *folder, const char *name, bool follow, bool skip_old)
{
    char path[PATH_CHARS + NAME_CHARS + 1];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    struct schema_reader *reader = NULL;
    if (!hr_is_ok(schema_reader_open(path, &reader))) {
        (void)fprintf(stderr, "headrace tail: %s can't be read\n", path);
        tail->broken = true;
        return;
    }
    bool good = drain(tail, reader, path, !skip_old);
    while (good && follow && !enough(tail)) {
        char newer[NAME_CHARS];
        (void)snprintf(newer, sizeof newer, "%s", name);
        bool ended =
            next_file(folder, newer); /* looked for before the last drain, so that nothing is missed */
        good = drain(tail, reader, path, true);
        if (ended) {
            break;
        }
        (void)fflush(stdout);
        (void)poll(NULL, 0, WAIT_MS);
    }
    schema_reader_close(reader);
}

static int tail_files(struct tail *tail, const char *dir, const char *topic, bool follow, bool skip_old)
{
    char folder[PATH_CHARS];
    (void)snprintf(folder, sizeof folder, "%s/%s", dir, topic);
    struct dirent **names = NULL;
    int n = list_files(folder, &names);
    if (n < 0) {
        (void)fprintf(stderr, "headrace tail: there is no folder %s; give the directory of the file sink\n",
                      folder);
        return CLI_FAILED;
    }
    free_names(names, n);
    char name[NAME_CHARS] = "";
    while (!enough(tail) && !tail->broken) {
        if (next_file(folder, name)) {
            char newer[NAME_CHARS];
            (void)snprintf(newer, sizeof newer, "%s", name);
            bool newest = !next_file(folder, newer);
            read_file(tail, folder, name, follow && newest, skip_old);
            skip_old = skip_old && !newest;
        } else if (follow) {
            (void)poll(NULL, 0, WAIT_MS);
        } else {
            break;
        }
    }
    return tail->broken ? CLI_FAILED : CLI_OK;
}

/* ---- Kafka ---- */

static bool open_decoder(struct tail *tail, uint32_t schema_id)
{
    if (tail->decoder != NULL && tail->schema_id == schema_id) {
        return true;
    }
    schema_decoder_close(tail->decoder);
    tail->decoder = NULL;
    tail->schema_id = schema_id;
    const char *name = NULL;
    struct hr_bytes text = hr_bytes_of(NULL, 0);
    if (hr_is_ok(schema_offline_name(schema_id, &name))) {
        return hr_is_ok(schema_text(name, &text)) && hr_is_ok(schema_decoder_open(text, &tail->decoder));
    }
    if (tail->registry == NULL) {
        (void)fprintf(stderr, "headrace tail: schema %u comes from a registry; give its --registry URL\n",
                      schema_id);
        return false;
    }
    static char fetched[SCHEMA_MAX_BYTES];
    char why[SCHEMA_WHY_CHARS];
    size_t len_bytes = 0;
    struct schema_registry_config config = {.url = tail->registry, .timeout_ms = BROKER_TIMEOUT_MS};
    struct hr_status got =
        schema_registry_fetch(&config, schema_id, fetched, sizeof fetched, &len_bytes, why);
    if (!hr_is_ok(got)) {
        (void)fprintf(stderr, "headrace tail: %s: %s\n", tail->registry, why);
        return false;
    }
    return hr_is_ok(schema_decoder_open(hr_bytes_of(fetched, len_bytes), &tail->decoder));
}

static bool on_value(void *ctx, struct hr_bytes framed)
{
    struct tail *tail = ctx;
    uint32_t schema_id = 0;
    struct hr_bytes value;
    size_t len_bytes = 0;
    if (!hr_is_ok(schema_unframe(framed, &schema_id, &value))) {
        (void)fputs("headrace tail: a value is not Avro in Confluent framing; is it a raw topic? "
                    "(`headrace verify` reads raw batches)\n",
                    stderr);
        tail->broken = true;
        return false;
    }
    if (!open_decoder(tail, schema_id) ||
        !hr_is_ok(schema_decoder_json(tail->decoder, value, tail->line, LINE_MAX_BYTES - 1, &len_bytes))) {
        (void)fputs("headrace tail: a value does not decode with its schema\n", stderr);
        tail->broken = true;
        return false;
    }
    print_line(tail, len_bytes);
    return !enough(tail);
}

static bool on_pause(void *ctx)
{
    (void)fflush(stdout);
    return enough(ctx);
}

static int tail_kafka(struct tail *tail, const struct cli_arguments *arguments, const char *topic)
{
    static struct cli_kafka_properties properties;
    bool good = cli_kafka_put(&properties, "tail", "bootstrap.servers", arguments->values[KAFKA][0]);
    for (size_t i = 0; i < arguments->n_values[PROPERTY] && good; i++) {
        good = cli_kafka_put_text(&properties, "tail", arguments->values[PROPERTY][i]);
    }
    if (!good) {
        return CLI_USAGE;
    }
    struct sink_kafka_tail_config config = {
        .properties = properties.properties,
        .n_properties = properties.n_properties,
        .topic = topic,
        .from_start = arguments->n_values[NEW] == 0,
        .follow = arguments->n_values[FOLLOW] > 0,
        .each = on_value,
        .stop = on_pause,
        .ctx = tail,
    };
    char why[256] = "";
    struct hr_status status = sink_kafka_tail(&config, BROKER_TIMEOUT_MS, why);
    if (!hr_is_ok(status)) {
        (void)fprintf(stderr, "headrace tail: %s\n", why);
        return CLI_FAILED;
    }
    return tail->broken ? CLI_FAILED : CLI_OK;
}

int cli_tail(int argc, char **argv)
{
    struct cli_arguments arguments;
    int parsed = cli_options_parse(&usage, argc, argv, &arguments);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    struct tail tail = {.registry = cli_option_or(&arguments, REGISTRY, NULL)};
    bool files = arguments.n_values[FILES] > 0;
    if (files == (arguments.n_values[KAFKA] > 0) ||
        !cli_number(cli_option_or(&arguments, LIMIT, "0"), UINT64_MAX, &tail.limit)) {
        (void)fputs("headrace tail: give --files DIR or --kafka BROKERS, and --limit as a number\n", stderr);
        return CLI_USAGE;
    }
    tail.line = malloc(LINE_MAX_BYTES);
    if (tail.line == NULL) {
        return CLI_FAILED;
    }
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    const char *topic = cli_option_or(&arguments, TOPIC, "marine.ais.raw");
    int code = files ? tail_files(&tail, arguments.values[FILES][0], topic, arguments.n_values[FOLLOW] > 0,
                                  arguments.n_values[NEW] > 0)
                     : tail_kafka(&tail, &arguments, topic);
    (void)fflush(stdout);
    schema_decoder_close(tail.decoder);
    free(tail.line);
    return code;
}
