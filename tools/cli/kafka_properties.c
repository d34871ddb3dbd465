/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/kafka_properties.h"

#include <errno.h>
#include <string.h>

static const char file_suffix[] = "_file";

bool cli_kafka_put(struct cli_kafka_properties *into, const char *verb, const char *name, const char *value)
{
    size_t at = 0;
    while (at < into->n_properties && strcmp(into->pairs[at].key, name) != 0) {
        at++;
    }
    struct conf_pair *pair = &into->pairs[at];
    if (at == CLI_KAFKA_MAX_PROPERTIES || strlen(name) >= sizeof pair->key ||
        strlen(value) >= sizeof pair->value) {
        (void)fprintf(
            stderr, "headrace %s: %.95s: at most %d properties, names of %d and values of %d characters\n",
            verb, name, CLI_KAFKA_MAX_PROPERTIES, CONF_PAIR_KEY_MAX_CHARS, CONF_PAIR_VALUE_MAX_CHARS);
        return false;
    }
    (void)snprintf(pair->key, sizeof pair->key, "%s", name);
    (void)snprintf(pair->value, sizeof pair->value, "%s", value);
    into->properties[at] = (struct sink_kafka_property){pair->key, pair->value};
    into->n_properties += at == into->n_properties ? 1 : 0;
    return true;
}

/* The file's content without its last line end. */
static bool read_secret(const char *verb, const char *path, char out[CONF_PAIR_VALUE_MAX_CHARS + 1])
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        (void)fprintf(stderr, "headrace %s: %s: %s\n", verb, path, strerror(errno));
        return false;
    }
    size_t len = fread(out, 1, CONF_PAIR_VALUE_MAX_CHARS + 1, file);
    bool good = ferror(file) == 0 && len <= CONF_PAIR_VALUE_MAX_CHARS && memchr(out, '\0', len) == NULL;
    (void)fclose(file);
    if (!good) {
        (void)fprintf(stderr, "headrace %s: %s can't be read as a value of at most %d characters\n", verb,
                      path, CONF_PAIR_VALUE_MAX_CHARS);
        return false;
    }
    len -= len > 0 && out[len - 1] == '\n' ? 1 : 0;
    len -= len > 0 && out[len - 1] == '\r' ? 1 : 0;
    out[len] = '\0';
    return true;
}

bool cli_kafka_put_text(struct cli_kafka_properties *into, const char *verb, const char *text)
{
    const char *equals = strchr(text, '=');
    char name[CONF_PAIR_KEY_MAX_CHARS + 1];
    if (equals == NULL || equals == text || (size_t)(equals - text) >= sizeof name) {
        (void)fprintf(stderr, "headrace %s: '%s' is not NAME=VALUE\n", verb, text);
        return false;
    }
    size_t len = (size_t)(equals - text);
    memcpy(name, text, len);
    name[len] = '\0';
    size_t suffix_len = sizeof file_suffix - 1;
    if (len <= suffix_len || strcmp(name + len - suffix_len, file_suffix) != 0) {
        return cli_kafka_put(into, verb, name, equals + 1);
    }
    char secret[CONF_PAIR_VALUE_MAX_CHARS + 1];
    name[len - suffix_len] = '\0';
    return read_secret(verb, equals + 1, secret) && cli_kafka_put(into, verb, name, secret);
}

const char *cli_kafka_value(const struct cli_kafka_properties *from, const char *name)
{
    for (size_t i = 0; i < from->n_properties; i++) {
        if (strcmp(from->pairs[i].key, name) == 0) {
            return from->pairs[i].value;
        }
    }
    return NULL;
}
