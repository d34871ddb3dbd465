/* SPDX-License-Identifier: Apache-2.0
 *
 * Recorded documents in place of made ones, for every feed that there is. */
#include "proto/feeds/file/file.h"
#include "proto/feeds/url.h"
#include "tools/cli/sim_iso_serve.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_CHARS = 260 };

/* Whether a target may be what the template of a URL gives: what stands in braces may be anything. */
static bool fits(const char *template, const char *target)
{
    const char *behind = NULL; /* the last brace */
    const char *from = NULL;   /* where what follows it was looked for */
    while (*target != '\0') {
        if (*template == '{') {
            behind = template + strcspn(template, "}");
            behind += *behind != '\0' ? 1 : 0;
            template = behind;
            from = target;
        } else if (*template == *target) {
            template ++;
            target++;
        } else if (behind != NULL) {
            template = behind;
            target = ++from;
        } else {
            return false;
        }
    }
    while (*template == '{') {
        template += strcspn(template, "}");
        template += *template != '\0' ? 1 : 0;
    }
    return *template == '\0';
}

struct cli_iso_payload *cli_iso_payload_of(struct cli_iso_sim *sim, const char *target)
{
    for (size_t i = 0; i < sim->n_payloads; i++) {
        const char *host = strstr(sim->payloads[i].url, "://");
        const char *path = host != NULL ? strchr(host + 3, '/') : NULL;
        if (path != NULL && fits(path, target)) {
            return &sim->payloads[i];
        }
    }
    return NULL;
}

/* The names FEED.* of the folder, in order. */
static bool find_files(struct cli_iso_payload *payload, struct dirent **entries, int n_entries)
{
    size_t len = strlen(payload->feed);
    for (int i = 0; i < n_entries; i++) {
        const char *name = entries[i]->d_name;
        if (strncmp(name, payload->feed, len) != 0 || name[len] != '.') {
            continue;
        }
        char **grown = realloc(payload->files, (payload->n_files + 1) * sizeof *grown);
        char *copy = strdup(name);
        if (grown != NULL) {
            payload->files = grown;
        }
        if (grown == NULL || copy == NULL) {
            free(copy);
            return false;
        }
        payload->files[payload->n_files++] = copy;
    }
    return true;
}

static bool add_feed(struct cli_iso_sim *sim, const struct feeds_feed *feed, struct dirent **entries,
                     int n_entries)
{
    if (sim->n_payloads == CLI_ISO_PAYLOADS) {
        (void)fputs("headrace sim iso: --payloads: too many feeds\n", stderr);
        return false;
    }
    struct cli_iso_payload *payload = &sim->payloads[sim->n_payloads];
    *payload = (struct cli_iso_payload){.route = {.iso = feed->iso, .path = "/", .step_s = 3600}};
    memcpy(payload->feed, feed->name, sizeof payload->feed);
    (void)snprintf(payload->url, sizeof payload->url, "%s%s%s%s", feed->url, feed->has_pages ? "&" : "",
                   feed->has_pages ? feed->pages.parameter : "", feed->has_pages ? "={page}" : "");
    feeds_url_host(feed->url, payload->host, sizeof payload->host);
    payload->route.feed = payload->feed;
    payload->route.host = payload->host;
    if (!find_files(payload, entries, n_entries)) {
        (void)fputs("headrace sim iso: out of memory\n", stderr);
        sim->n_payloads++; /* for cli_iso_payloads_free */
        return false;
    }
    sim->n_payloads += payload->n_files > 0 ? 1 : 0;
    return true;
}

bool cli_iso_payloads_find(struct cli_iso_sim *sim, const char *folder, const char *feeds)
{
    static struct feeds_paths paths;
    static struct conf_report report;
    static struct feeds_feed feed;
    struct dirent **entries = NULL;
    int n_entries = scandir(folder, &entries, NULL, alphasort);
    bool is_good = n_entries >= 0 && hr_is_ok(feeds_paths_add(&paths, feeds));
    if (!is_good) {
        (void)fprintf(stderr, "headrace sim iso: %s: %s\n", n_entries < 0 ? folder : feeds, strerror(errno));
    }
    for (size_t i = 0; i < paths.n_paths && is_good; i++) {
        is_good = hr_is_ok(feeds_file_load(paths.paths[i], &feed, &report)) &&
                  add_feed(sim, &feed, entries, n_entries);
        if (!is_good) {
            (void)fprintf(stderr, "headrace sim iso: %s: `headrace feeds lint` tells what is wrong\n",
                          paths.paths[i]);
        }
    }
    for (int i = 0; i < n_entries; i++) {
        free(entries[i]);
    }
    free((void *)entries);
    sim->payload_folder = folder;
    return is_good;
}

static const char *type_of(const char *name)
{
    static const char *const TYPES[][2] = {{".zip", "application/x-zip-compressed"},
                                           {".json", "application/json"},
                                           {".csv", "text/csv"},
                                           {".xml", "application/xml"},
                                           {".html", "text/html"}};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        if (strcmp(dot, TYPES[i][0]) == 0) {
            return TYPES[i][1];
        }
    }
    return "application/octet-stream";
}

void cli_iso_payload_write(const struct cli_iso_sim *sim, struct cli_iso_payload *payload,
                           struct cli_sim_answer *answer)
{
    char path[FEEDS_PATH_MAX_CHARS + NAME_MAX_CHARS];
    char piece[4096];
    const char *name = payload->files[payload->next];
    payload->next += payload->next + 1 < payload->n_files ? 1 : 0;
    (void)snprintf(path, sizeof path, "%s/%s", sim->payload_folder, name);
    FILE *file = fopen(path, "rb");
    bool is_read = file != NULL;
    while (is_read && feof(file) == 0) {
        size_t n = fread(piece, 1, sizeof piece, file);
        cli_sim_text_bytes(&answer->body, piece, n);
        is_read = ferror(file) == 0;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    answer->status = is_read ? 200 : 500;
    answer->type = type_of(name);
}

void cli_iso_payloads_free(struct cli_iso_sim *sim)
{
    for (size_t i = 0; i < sim->n_payloads; i++) {
        for (size_t f = 0; f < sim->payloads[i].n_files; f++) {
            free(sim->payloads[i].files[f]);
        }
        free((void *)sim->payloads[i].files);
    }
    sim->n_payloads = 0;
}
