/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace schemas check`: whether this build's schemas read what was written before, before a deploy. */
#include "aggregator/config/topics.h"
#include "aggregator/schema_registry/compat/compat.h"
#include "aggregator/schema_registry/registry.h"
#include "aggregator/schema_registry/schema.h"
#include "proto/base/assert.h"
#include "tools/cli/cli.h"
#include "tools/cli/options.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REGISTRY, CA, USER, AGAINST, TOPICS, NEWEST };
enum { VERSIONS_MAX = 1000, TEXT_MAX_BYTES = 256 * 1024, LABEL_CHARS = 320, TIMEOUT_MS = 10000 };

static const struct cli_option options[] = {
    [REGISTRY] = {"--registry", "URL", false, 0,
                  "The registry; each topic's schema against the versions of <topic>-value."},
    [CA] = {"--ca", "FILE", false, 0, "PEM for https, instead of the system's."},
    [USER] = {"--user", "FILE", false, 0, "File with user:password on its first line."},
    [AGAINST] = {"--against", "FOLDER", false, 0,
                 "Another release's schemas/avro: NAME.avsc, NAME.VERSION.avsc."},
    [TOPICS] = {"--topics", "FILE", false, 0, "Instead of the built-in schemas/topics.yaml."},
    [NEWEST] = {"--newest", NULL, false, 0,
                "Only the newest version of each subject: BACKWARD, not transitive."},
};
static const struct cli_usage usage = {
    .verb = "schemas check",
    .options = options,
    .n_options = HR_ARRAY_LEN(options),
    .help =
        "Tells every field by which a schema of this build could not read what an older version wrote\n"
        "(BACKWARD_TRANSITIVE; with --newest BACKWARD). Without --registry and --against the older versions\n"
        "are those of this build, schemas/avro/old. Nothing is registered. Exit code 0: all can be read,\n"
        "1: something can't, 2: can't be judged, such as when the registry is away.",
};

struct run {
    struct schema_registry_config registry;
    struct config_topics topics;
    struct conf_report report;
    char text[TEXT_MAX_BYTES];
    uint32_t versions[VERSIONS_MAX];
    const char *label; /* what wrote, for messages */
    uint32_t n_compared;
    uint32_t n_breaks;
    uint32_t n_new;
    bool is_unjudged;
};

static void tell(void *ctx, const struct schema_break *found)
{
    const struct run *run = ctx;
    (void)printf("%s: %s: %s (%s)\n", found->field, schema_rule_name(found->rule), found->text, run->label);
}

static void unjudged(struct run *run, const char *what, const char *why)
{
    (void)fprintf(stderr, "headrace schemas check: %s: %s\n", what, why);
    run->is_unjudged = true;
}

static void compare(struct run *run, struct hr_bytes reader, struct hr_bytes writer, const char *label)
{
    uint32_t n_breaks = 0;
    run->label = label;
    struct hr_status status = schema_compat_check(reader, writer, tell, run, &n_breaks);
    if (!hr_is_ok(status)) {
        unjudged(run, label,
                 hr_is(status, HR_FULL) ? "is nested too deep, or has too many types" : "is no Avro schema");
        return;
    }
    run->n_compared++;
    run->n_breaks += n_breaks;
}

/* The schema that "<name>" or "<name>.<version>" is a version of; false: this build has none. */
static bool find_base(const char *versioned, struct hr_bytes *text)
{
    char name[96];
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(versioned, "."), versioned);
    return hr_is_ok(schema_text(name, text));
}

static void check_build(struct run *run)
{
    const char *name = NULL;
    struct hr_bytes older;
    struct hr_bytes newest;
    for (size_t i = 0; schema_nth(i, &name, &older); i++) {
        if (strchr(name, '.') != NULL && find_base(name, &newest)) {
            compare(run, newest, older, name);
        }
    }
}

/* ---- a folder ---- */

static void check_file(struct run *run, const char *folder, const char *file)
{
    char path[LABEL_CHARS];
    struct hr_bytes newest;
    (void)snprintf(path, sizeof path, "%s/%s", folder, file);
    if (!find_base(file, &newest)) {
        (void)printf("%s: this build has no such schema; nobody will write it any more\n", path);
        return;
    }
    FILE *stream = fopen(path, "rb");
    size_t len = stream == NULL ? 0 : fread(run->text, 1, sizeof run->text, stream);
    bool is_read = stream != NULL && ferror(stream) == 0;
    if (stream != NULL) {
        (void)fclose(stream);
    }
    if (!is_read) {
        unjudged(run, path, "can't be read");
        return;
    }
    compare(run, newest, hr_bytes_of(run->text, len), path);
}

static int is_schema(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".avsc") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The number of schemas in it; -1: there is no such folder. */
static int check_folder(struct run *run, const char *folder)
{
    struct dirent **entries = NULL;
    int n_entries = scandir(folder, &entries, is_schema, by_name);
    for (int i = 0; i < n_entries; i++) {
        check_file(run, folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return n_entries;
}

static void check_against(struct run *run, const char *folder)
{
    char old[LABEL_CHARS];
    int n_found = check_folder(run, folder);
    (void)snprintf(old, sizeof old, "%s/old", folder);
    int n_old = n_found < 0 ? 0 : check_folder(run, old);
    if (n_found < 0) {
        unjudged(run, folder, strerror(errno));
    } else if (n_found + (n_old > 0 ? n_old : 0) == 0) {
        unjudged(run, folder, "has no *.avsc");
    }
}

/* ---- a registry ---- */

static void check_topic(struct run *run, const struct config_topic *topic, bool is_newest_only)
{
    char why[SCHEMA_WHY_CHARS];
    char label[LABEL_CHARS];
    struct hr_bytes newest;
    size_t n_versions = 0;
    if (!hr_is_ok(schema_text(topic->schema, &newest))) {
        unjudged(run, topic->name, "this build has no schema of the name that its topic says");
        return;
    }
    struct hr_status status =
        schema_registry_versions(&run->registry, topic->name, run->versions, VERSIONS_MAX, &n_versions, why);
    if (hr_is(status, HR_NOT_FOUND)) {
        run->n_new++;
        return;
    }
    if (!hr_is_ok(status)) {
        unjudged(run, run->registry.url, why);
        return;
    }
    for (size_t i = is_newest_only && n_versions > 0 ? n_versions - 1 : 0; i < n_versions; i++) {
        size_t len = 0;
        (void)snprintf(label, sizeof label, "version %u of %s-value", (unsigned)run->versions[i],
                       topic->name);
        status = schema_registry_version(&run->registry, topic->name, run->versions[i], run->text,
                                         sizeof run->text, &len, why);
        if (!hr_is_ok(status)) {
            unjudged(run, label, hr_is(status, HR_FULL) ? "is too long" : why);
            return;
        }
        compare(run, newest, hr_bytes_of(run->text, len), label);
    }
}

static bool check_registry(struct run *run, const char *topics, bool is_newest_only)
{
    if (!hr_is_ok(config_topics_load(topics, &run->topics, &run->report))) {
        conf_report_print(&run->report, stderr);
        return false;
    }
    for (uint32_t i = 0; i < run->topics.n_topics && !run->is_unjudged; i++) {
        if (run->topics.topics[i].schema[0] != '\0') {
            check_topic(run, &run->topics.topics[i], is_newest_only);
        }
    }
    return true;
}

static int conclude(const struct run *run)
{
    (void)printf("%u older versions, %u breaks", (unsigned)run->n_compared, (unsigned)run->n_breaks);
    if (run->n_new > 0) {
        (void)printf(", %u topics that the registry doesn't know yet", (unsigned)run->n_new);
    }
    (void)putchar('\n');
    if (run->n_breaks > 0) {
        return CLI_FAILED;
    }
    return run->is_unjudged ? CLI_INCOMPLETE : CLI_OK;
}

int cli_schemas(int argc, char **argv)
{
    static struct run run;
    struct cli_arguments arguments;
    if (argc < 2 || strcmp(argv[1], "check") != 0) {
        bool asked = argc > 1 && strcmp(argv[1], "--help") == 0;
        (void)fputs("usage: headrace schemas check [--registry URL | --against FOLDER]\nIt takes --help.\n",
                    asked ? stdout : stderr);
        return asked ? CLI_OK : CLI_USAGE;
    }
    int parsed = cli_options_parse(&usage, argc - 1, argv + 1, &arguments);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    const char *folder = cli_option_or(&arguments, AGAINST, NULL);
    run.registry = (struct schema_registry_config){.url = cli_option_or(&arguments, REGISTRY, NULL),
                                                   .ca_file = cli_option_or(&arguments, CA, NULL),
                                                   .user_file = cli_option_or(&arguments, USER, NULL),
                                                   .timeout_ms = TIMEOUT_MS};
    if (folder != NULL) {
        check_against(&run, folder);
    }
    if (run.registry.url != NULL &&
        !check_registry(&run, cli_option_or(&arguments, TOPICS, NULL), arguments.n_values[NEWEST] > 0)) {
        return CLI_INCOMPLETE;
    }
    if (folder == NULL && run.registry.url == NULL) {
        check_build(&run);
    }
    return conclude(&run);
}
