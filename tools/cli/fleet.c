/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/fleet.h"

#include "tools/cli/admin_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_CHARS = 128, LINE_CHARS = 128, ONE_BY_ONE = 32 };

static const char head[] = "headrace rotate 1";
static const char *const words[FLEET_N_STEPS] = {"to_do", "asked", "done", "failed"};

static struct cli_admin_reply reply;

static struct fleet_device *find(const struct fleet *fleet, uint64_t device_id)
{
    uint32_t low = 0;
    uint32_t high = fleet->n_devices;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (fleet->devices[middle].device_id < device_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool is_there = low < fleet->n_devices && fleet->devices[low].device_id == device_id;
    return is_there ? &fleet->devices[low] : NULL;
}

/* ---- the registry, page by page ---- */

static bool each_row(struct fleet *fleet, bool (*row_of)(struct fleet *fleet, struct hr_bytes row))
{
    uint64_t after = 0;
    bool has_more = true;
    while (has_more) {
        char path[CLI_ADMIN_PATH_CHARS];
        struct hr_bytes row;
        cli_admin_devices_path(after, fleet->name, NULL, path);
        if (!cli_admin_get(fleet->verb, fleet->admin, path, NULL, &reply)) {
            return false;
        }
        const char *rest = strchr(reply.body, '[');
        has_more = false;
        while (rest != NULL && cli_row_next(&rest, &row)) {
            uint64_t id = cli_row_number(row, "device_id");
            if (id <= after) {
                (void)fprintf(stderr, "headrace %s: the aggregator's list has a row that can't be read\n",
                              fleet->verb);
                return false;
            }
            after = id;
            has_more = true;
            if (!row_of(fleet, row)) {
                return false;
            }
        }
    }
    return true;
}

static void see(struct fleet_device *device, struct hr_bytes row)
{
    char state[TEXT_CHARS];
    cli_row_text(row, "state", state, sizeof state);
    device->epoch = (uint32_t)cli_row_number(row, "epoch");
    device->is_rotating = strcmp(state, "rotating") == 0;
}

static bool take_row(struct fleet *fleet, struct hr_bytes row)
{
    char text[TEXT_CHARS];
    struct fleet_device device = {.device_id = cli_row_number(row, "device_id")};
    cli_row_text(row, "name", text, sizeof text);
    if (fleet->name != NULL && strstr(text, fleet->name) == NULL) {
        return true;
    }
    see(&device, row);
    cli_row_text(row, "state", text, sizeof text);
    if (!device.is_rotating && strcmp(text, "active") != 0) {
        fleet->n_passed_over++;
        return true;
    }
    if (fleet->n_devices == fleet->capacity_devices) {
        uint32_t capacity = fleet->capacity_devices == 0 ? 256 : 2 * fleet->capacity_devices;
        struct fleet_device *devices = realloc(fleet->devices, capacity * sizeof *devices);
        if (devices == NULL) {
            (void)fprintf(stderr, "headrace %s: out of memory\n", fleet->verb);
            return false;
        }
        fleet->devices = devices;
        fleet->capacity_devices = capacity;
    }
    /* One that is rotating by itself gets there with this key. */
    device.old_epoch = device.is_rotating ? device.epoch - 1 : device.epoch;
    fleet->devices[fleet->n_devices++] = device;
    return true;
}

bool cli_fleet_find(struct fleet *fleet)
{
    bool is_good = each_row(fleet, take_row);
    fleet->n_by_step[FLEET_TO_DO] = fleet->n_devices;
    return is_good;
}

static bool look_at_row(struct fleet *fleet, struct hr_bytes row)
{
    struct fleet_device *device = find(fleet, cli_row_number(row, "device_id"));
    if (device != NULL) {
        see(device, row);
    }
    return true;
}

static bool look_at_one(struct fleet *fleet, struct fleet_device *device)
{
    struct cli_rotation now;
    if (!cli_rotation_read(fleet->verb, fleet->admin, device->device_id, &now)) {
        return false;
    }
    device->epoch = now.epoch;
    device->is_rotating = now.is_rotating;
    return true;
}

bool cli_fleet_look(struct fleet *fleet)
{
    if (fleet->n_by_step[FLEET_ASKED] > ONE_BY_ONE) {
        return each_row(fleet, look_at_row);
    }
    uint32_t n_left = fleet->n_by_step[FLEET_ASKED];
    for (uint32_t i = 0; i < fleet->n_devices && n_left > 0; i++) {
        if (fleet->devices[i].step != FLEET_ASKED) {
            continue;
        }
        n_left--;
        if (!look_at_one(fleet, &fleet->devices[i])) {
            return false;
        }
    }
    return true;
}

bool cli_fleet_is_there(const struct fleet_device *device)
{
    return device->epoch > device->old_epoch && !device->is_rotating;
}

/* ---- the file ---- */

static void set_step(struct fleet *fleet, struct fleet_device *device, enum fleet_step to)
{
    fleet->n_by_step[device->step]--;
    fleet->n_by_step[to]++;
    device->step = to;
    device->asked_ms = to == FLEET_ASKED ? cli_monotonic_ms() : device->asked_ms;
}

/* False: it is no line of such a file. */
static bool take_line(struct fleet *fleet, const char *line)
{
    char *rest = NULL;
    char *end = NULL;
    uint64_t device_id = strtoull(line, &rest, 10);
    size_t word_chars = rest[0] == ' ' ? strcspn(rest + 1, " ") : 0;
    const char *word = rest + 1;
    if (word_chars == 0 || word[word_chars] != ' ') {
        return false;
    }
    uint32_t old_epoch = (uint32_t)strtoul(word + word_chars, &end, 10);
    if (end == word + word_chars || *end != '\n') {
        return false;
    }
    struct fleet_device *device = find(fleet, device_id);
    for (int step = FLEET_ASKED; step < FLEET_N_STEPS; step++) {
        if (strlen(words[step]) != word_chars || strncmp(words[step], word, word_chars) != 0) {
            continue;
        }
        if (device != NULL) {
            device->old_epoch = old_epoch;
            set_step(fleet, device, step == FLEET_FAILED ? FLEET_TO_DO : (enum fleet_step)step);
        }
        return true;
    }
    return false;
}

bool cli_fleet_remember(struct fleet *fleet, const char *path)
{
    char line[LINE_CHARS];
    fleet->state = fopen(path, "a+e");
    if (fleet->state == NULL || fseek(fleet->state, 0, SEEK_SET) != 0) {
        (void)fprintf(stderr, "headrace %s: %s: %s\n", fleet->verb, path, strerror(errno));
        return false;
    }
    bool is_new = fgets(line, sizeof line, fleet->state) == NULL;
    line[is_new ? 0 : strcspn(line, "\n")] = '\0';
    bool is_good = is_new || strcmp(line, head) == 0;
    while (is_good && !is_new && fgets(line, sizeof line, fleet->state) != NULL) {
        /* The last line may be half of one: the device is asked again, which changes nothing. */
        bool is_whole = strchr(line, '\n') != NULL;
        is_good = is_whole ? take_line(fleet, line)
                           : ftruncate(fileno(fleet->state), ftell(fleet->state) - (long)strlen(line)) == 0;
    }
    if (!is_good) {
        (void)fprintf(stderr, "headrace %s: %s is no state of `headrace rotate`; give another --state-file\n",
                      fleet->verb, path);
        return false;
    }
    (void)fseek(fleet->state, 0, SEEK_END);
    return !is_new || fprintf(fleet->state, "%s\n", head) > 0;
}

bool cli_fleet_move(struct fleet *fleet, struct fleet_device *device, enum fleet_step to)
{
    set_step(fleet, device, to);
    if (fleet->state == NULL) {
        return true;
    }
    bool is_noted = fprintf(fleet->state, "%" PRIu64 " %s %" PRIu32 "\n", device->device_id, words[to],
                            device->old_epoch) > 0 &&
                    fflush(fleet->state) == 0;
    if (!is_noted) {
        (void)fprintf(stderr, "headrace %s: the state file can't be written: %s\n", fleet->verb,
                      strerror(errno));
    }
    return is_noted;
}

void cli_fleet_end(struct fleet *fleet)
{
    if (fleet->state != NULL) {
        (void)fclose(fleet->state);
    }
    free(fleet->devices);
}
