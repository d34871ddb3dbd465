/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config/config.h"

#include "aggregator/config/sections.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEFAULT_PORT = 5684 };

/* ---- addresses ---- */

static bool is_numeric_address(const char *text)
{
    uint8_t address[16];
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

static bool parse_port(const char *text, uint16_t *out)
{
    char *end = NULL;
    unsigned long port = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || port > UINT16_MAX) {
        return false;
    }
    *out = (uint16_t)port;
    return true;
}

/* "192.0.2.1", "192.0.2.1:5684", "[::]" or "[::]:5684" */
static bool parse_authority(const char *text, struct config_listen *out)
{
    bool bracketed = text[0] == '[';
    const char *host = bracketed ? text + 1 : text;
    size_t len = strcspn(host, bracketed ? "]" : ":");
    const char *rest = host + len;
    if (len == 0 || len >= sizeof(out->address) || (bracketed && *rest != ']')) {
        return false;
    }
    rest += bracketed ? 1 : 0;
    memcpy(out->address, host, len);
    out->address[len] = '\0';
    out->port = DEFAULT_PORT;
    return is_numeric_address(out->address) && (strchr(out->address, ':') != NULL) == bracketed &&
           (*rest == '\0' || (*rest == ':' && parse_port(rest + 1, &out->port)));
}

bool config_listen_parse(const char *uri, struct config_listen *out)
{
    static const char dtls[] = "coaps://";
    static const char tls[] = "coaps+tcp://";
    struct config_listen parsed = {0};
    const char *authority = NULL;
    if (strncmp(uri, dtls, sizeof(dtls) - 1) == 0) {
        authority = uri + sizeof(dtls) - 1;
    } else if (strncmp(uri, tls, sizeof(tls) - 1) == 0) {
        authority = uri + sizeof(tls) - 1;
        parsed.tcp = true;
    }
    if (authority == NULL || !parse_authority(authority, &parsed)) {
        return false;
    }
    *out = parsed;
    return true;
}

/* ---- checks ---- */

static const char *check_listen(const char *text)
{
    struct config_listen listen;
    return config_listen_parse(text, &listen)
               ? NULL
               : "is not coaps://ADDRESS[:PORT] or coaps+tcp://ADDRESS[:PORT] with a numeric address";
}

const char *config_check_address(const char *text)
{
    return is_numeric_address(text) ? NULL : "is no numeric address";
}

static const char *check_url(const char *text)
{
    size_t len = strlen(text);
    bool schemed = strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
    return schemed && text[len - 1] != '/' ? NULL
                                           : "is not http://... or https://... without a slash at its end";
}

static const char *check_topic_part(const char *text)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return text[strspn(text, legal)] == '\0' ? NULL : "may hold letters, digits, '.', '_' and '-' only";
}

static void check_identity(const void *section, struct conf_place *place)
{
    const struct config_identity *identity = section;
    config_check_file(place, "certificate", identity->certificate);
    config_check_file(place, "key", identity->key);
    config_check_file(place, "client_ca", identity->client_ca);
    config_check_secret(place, "key", identity->key);
}

static void check_schema_registry(const void *section, struct conf_place *place)
{
    const struct config_schema_registry *registry = section;
    config_check_file(place, "ca_file", registry->ca_file);
    config_check_file(place, "user_file", registry->user_file);
}

static void check_kafka(const void *section, struct conf_place *place)
{
    const struct config_kafka_sink *kafka = section;
    for (uint32_t i = 0; i < kafka->n_properties; i++) {
        if (strcmp(kafka->properties[i].key, "bootstrap.servers") == 0) {
            return;
        }
    }
    conf_complain(place, "properties", "bootstrap.servers is missing");
}

static void check_sinks(const void *section, struct conf_place *place)
{
    const struct config_sinks *sinks = section;
    if (!sinks->has_files && !sinks->has_kafka) {
        conf_complain(place, NULL, "no sink: give files, kafka, or both");
    }
}

static void check_aggregator(const void *section, struct conf_place *place)
{
    const struct config_aggregator *config = section;
    struct stat status;
    if (stat(config->registry, &status) != 0 || !S_ISDIR(status.st_mode)) {
        conf_complain(place, "registry", "%s is no directory", config->registry);
    }
    config_check_file(place, "trust_bundle", config->trust_bundle);
    if (config->limits.max_waiting < config->limits.max_bodies) {
        conf_complain(place, "limits", "max_waiting is below max_bodies");
    }
    config_check_sites(config, place);
    /* One transaction's worth of delivered batches is kept, in case that a sink must look back. */
    unsigned long long transaction_bytes =
        config->sinks.transaction_max_batches * config->limits.max_envelope_bytes;
    if (config->ledger.max_bytes != 0 && config->ledger.max_bytes / 2 < transaction_bytes) {
        conf_complain(place, "ledger",
                      "max_bytes is below %llu, twice transaction_max_batches times max_envelope: what is "
                      "published could not make room",
                      2 * transaction_bytes);
    }
}

/* ---- tables ---- */

static const struct conf_field identity_fields[] = {
    {.key = "certificate",
     .type = CONF_STRING,
     CONF_AT(struct config_identity, certificate),
     .required = true,
     .min = 1,
     .help = "PEM file: the certificate that collectors are shown."},
    {.key = "key",
     .type = CONF_STRING,
     CONF_AT(struct config_identity, key),
     .required = true,
     .min = 1,
     .help = "PEM file: its private key; mode 0600."},
    {.key = "client_ca",
     .type = CONF_STRING,
     CONF_AT(struct config_identity, client_ca),
     .required = true,
     .min = 1,
     .help = "PEM file: who signs the certificates of devices."},
};
static const struct conf_table identity_table = {CONF_FIELDS(identity_fields), .check = check_identity};

static const struct conf_field files_fields[] = {
    {.key = "dir",
     .type = CONF_STRING,
     CONF_AT(struct config_files_sink, dir),
     .required = true,
     .min = 1,
     .help = "Where the Avro files go; it belongs to the sink."},
};
static const struct conf_table files_table = {CONF_FIELDS(files_fields)};

static const struct conf_field kafka_fields[] = {
    {.key = "properties",
     .type = CONF_PAIRS,
     CONF_LIST_AT(struct config_kafka_sink, properties, n_properties),
     .required = true,
     .help = "librdkafka's own properties; KEY_file takes the value from a file."},
    {.key = "cursor_topic",
     .type = CONF_STRING,
     CONF_AT(struct config_kafka_sink, cursor_topic),
     .fallback = "headrace.cursor",
     .min = 1,
     .check_text = check_topic_part,
     .help = "Of the publisher's cursor; compacted, one partition."},
    {.key = "create_topics",
     .type = CONF_BOOL,
     CONF_AT(struct config_kafka_sink, create_topics),
     .fallback = "true",
     .help = "Make topics that are missing, as schemas/topics.yaml declares them."},
    {.key = "partitions",
     .type = CONF_UINT,
     CONF_AT(struct config_kafka_sink, partitions),
     .fallback = "0",
     .max = 128,
     .help = "Of each topic that is made but the cursor's; 0: as schemas/topics.yaml says."},
    {.key = "replication",
     .type = CONF_UINT,
     CONF_AT(struct config_kafka_sink, replication),
     .fallback = "0",
     .max = 16,
     .help = "Copies of each topic that is made, and the most that min.insync.replicas asks for; 0: as "
             "schemas/topics.yaml says. 1 for a cluster of one broker."},
};
static const struct conf_table kafka_table = {CONF_FIELDS(kafka_fields), .check = check_kafka};

static const struct conf_field sinks_fields[] = {
    {.key = "files",
     .type = CONF_SECTION,
     CONF_SECTION_AT(struct config_sinks, files, has_files),
     .table = &files_table,
     .help = "Avro object container files, one for each topic and hour."},
    {.key = "kafka",
     .type = CONF_SECTION,
     CONF_SECTION_AT(struct config_sinks, kafka, has_kafka),
     .table = &kafka_table,
     .help = "Kafka transactions; brokers of 3.6 or newer."},
    {.key = "transaction_max_batches",
     .type = CONF_UINT,
     CONF_AT(struct config_sinks, transaction_max_batches),
     .fallback = "256",
     .min = 1,
     .max = 4096,
     .help = "Batches in one transaction, at most."},
    {.key = "transaction_max_bytes",
     .type = CONF_SIZE,
     CONF_AT(struct config_sinks, transaction_max_bytes),
     .fallback = "4MiB",
     .min = 65536,
     .max = 268435456,
     .help = "Envelope bytes in one transaction, about."},
    {.key = "transaction_linger",
     .type = CONF_DURATION,
     CONF_AT(struct config_sinks, transaction_linger_ms),
     .fallback = "20ms",
     .max = 60000,
     .help = "Pause after a transaction that was not full, so that the next carries more."},
};
static const struct conf_table sinks_table = {CONF_FIELDS(sinks_fields), .check = check_sinks};

static const struct conf_field schema_registry_fields[] = {
    {.key = "url",
     .type = CONF_STRING,
     CONF_AT(struct config_schema_registry, url),
     .required = true,
     .check_text = check_url,
     .help = "Of a Confluent Schema Registry."},
    {.key = "ca_file",
     .type = CONF_STRING,
     CONF_AT(struct config_schema_registry, ca_file),
     .help = "PEM file of authorities for https; the system's when absent."},
    {.key = "user_file",
     .type = CONF_STRING,
     CONF_AT(struct config_schema_registry, user_file),
     .help = "File with user:password on its first line."},
    {.key = "timeout",
     .type = CONF_DURATION,
     CONF_AT(struct config_schema_registry, timeout_ms),
     .fallback = "10s",
     .min = 100,
     .max = 120000,
     .help = "Of one request."},
};
static const struct conf_table schema_registry_table = {CONF_FIELDS(schema_registry_fields),
                                                        .check = check_schema_registry};

static const struct conf_field http_fields[] = {
    {.key = "address",
     .type = CONF_STRING,
     CONF_AT(struct config_http, address),
     .fallback = "127.0.0.1",
     .check_text = config_check_address,
     .help = "Numeric; loopback unless you mean it otherwise: there is no login."},
    {.key = "port",
     .type = CONF_UINT,
     CONF_AT(struct config_http, port),
     .fallback = "9464",
     .help = "0: any free one; the log tells which."},
    {.key = "max_connections",
     .type = CONF_UINT,
     CONF_AT(struct config_http, max_connections),
     .fallback = "16",
     .min = 1,
     .max = 1024,
     .help = "At a time."},
};
static const struct conf_table http_table = {CONF_FIELDS(http_fields)};

static const struct conf_field limits_fields[] = {
    {.key = "max_devices",
     .type = CONF_UINT,
     CONF_AT(struct config_limits, max_devices),
     .fallback = "10000",
     .min = 1,
     .max = 16777216,
     .help = "Devices in the registry; their table is allocated at start."},
    {.key = "max_sessions",
     .type = CONF_UINT,
     CONF_AT(struct config_limits, max_sessions),
     .fallback = "1000",
     .min = 1,
     .max = 65536,
     .help = "Sessions of devices at a time; about 45 KB each."},
    {.key = "max_handshakes",
     .type = CONF_UINT,
     CONF_AT(struct config_limits, max_handshakes),
     .fallback = "100",
     .min = 1,
     .max = 65536,
     .help = "Handshakes at a time, over DTLS and TCP each."},
    {.key = "max_waiting",
     .type = CONF_UINT,
     CONF_AT(struct config_limits, max_waiting),
     .fallback = "4096",
     .min = 8,
     .max = 65536,
     .help = "Requests without an answer yet; beyond it 5.03."},
    {.key = "max_bodies",
     .type = CONF_UINT,
     CONF_AT(struct config_limits, max_bodies),
     .fallback = "256",
     .min = 1,
     .max = 65536,
     .help = "Block-wise bodies in the making; max_envelope each, allocated at start."},
    {.key = "max_held",
     .type = CONF_UINT,
     CONF_AT(struct config_limits, max_held),
     .fallback = "1024",
     .min = 1,
     .max = 65536,
     .help = "Batches ahead of a gap that are held."},
    {.key = "max_envelope",
     .type = CONF_SIZE,
     CONF_AT(struct config_limits, max_envelope_bytes),
     .fallback = "15KiB",
     .min = 1024,
     .max = 65536 - 2048,
     .help = "A larger envelope is refused."},
    {.key = "max_inflight",
     .type = CONF_SIZE,
     CONF_AT(struct config_limits, max_inflight_bytes),
     .fallback = "64MiB",
     .min = 1048576,
     .max = UINT64_C(1) << 34,
     .help = "Envelope bytes between receipt and answer; beyond it 5.03."},
    {.key = "session_idle",
     .type = CONF_DURATION,
     CONF_AT(struct config_limits, session_idle_ms),
     .fallback = "1h",
     .min = 1000,
     .max = 604800000,
     .help = "A session that is silent this long is closed."},
    {.key = "commit_window",
     .type = CONF_DURATION,
     CONF_AT(struct config_limits, commit_window_ms),
     .fallback = "10ms",
     .max = 1000,
     .help = "How long a group may wait for more, while more is coming."},
    {.key = "retry_after",
     .type = CONF_DURATION,
     CONF_AT(struct config_limits, retry_after_ms),
     .fallback = "5s",
     .min = 1000,
     .max = 600000,
     .help = "What a collector is told to wait after 5.03."},
};
static const struct conf_table limits_table = {CONF_FIELDS(limits_fields)};

/* By enum config_log_level. */
static const char *const log_levels[] = {"error", "warn", "info", "debug", NULL};

static const struct conf_field aggregator_fields[] = {
    {.key = "listen",
     .type = CONF_STRINGS,
     CONF_LIST_AT(struct config_aggregator, uris, n_uris),
     .required = true,
     .min = 1,
     .check_text = check_listen,
     .help = "coaps://ADDRESS:PORT and coaps+tcp://ADDRESS:PORT."},
    {.key = "identity",
     .type = CONF_SECTION,
     CONF_AT(struct config_aggregator, identity),
     .table = &identity_table,
     .required = true,
     .help = "Certificates of the transport."},
    {.key = "registry",
     .type = CONF_STRING,
     CONF_AT(struct config_aggregator, registry),
     .required = true,
     .min = 1,
     .help = "Directory of device entries, DEVICE_ID.yaml each; followed while the program runs."},
    {.key = "trust_bundle",
     .type = CONF_STRING,
     CONF_AT(struct config_aggregator, trust_bundle),
     .fallback = "",
     .help = "The file of `headrace ca bundle` that devices fetch; followed while the program runs."},
    {.key = "ledger",
     .type = CONF_SECTION,
     CONF_AT(struct config_aggregator, ledger),
     .table = &config_ledger_table,
     .required = true,
     .help = "Where batches are committed."},
    {.key = "sinks",
     .type = CONF_SECTION,
     CONF_AT(struct config_aggregator, sinks),
     .table = &sinks_table,
     .required = true,
     .help = "Where normalized events go."},
    {.key = "schema_registry",
     .type = CONF_SECTION,
     CONF_SECTION_AT(struct config_aggregator, schema_registry, has_schema_registry),
     .table = &schema_registry_table,
     .help = "Without one, schemas have the fixed ids of schemas/avro/ids.tsv."},
    {.key = "http",
     .type = CONF_SECTION,
     CONF_SECTION_AT(struct config_aggregator, http, has_http),
     .table = &http_table,
     .help = "/healthz, /readyz and /metrics; nothing listens when it is absent."},
    {.key = "admin",
     .type = CONF_SECTION,
     CONF_SECTION_AT(struct config_aggregator, admin, has_admin),
     .table = &config_admin_table,
     .help = "The same and the admin API over mutual TLS, for operators with certificates."},
    {.key = "rotation",
     .type = CONF_SECTION,
     CONF_AT(struct config_aggregator, rotation),
     .table = &config_rotation_table,
     .help = "When devices are asked for new keys."},
    {.key = "renewal",
     .type = CONF_SECTION,
     CONF_SECTION_AT(struct config_aggregator, renewal, has_renewal),
     .table = &config_renewal_table,
     .help =
         "Certificates for devices that make themselves another transport key; without it they ask in vain."},
    {.key = "limits",
     .type = CONF_SECTION,
     CONF_AT(struct config_aggregator, limits),
     .table = &limits_table,
     .help = "What is bounded, and how far."},
    {.key = "sites",
     .type = CONF_LIST,
     CONF_LIST_AT(struct config_aggregator, sites, n_sites),
     .table = &config_site_table,
     .help = "Where collectors of plants stand."},
    {.key = "verify_threads",
     .type = CONF_UINT,
     CONF_AT(struct config_aggregator, verify_threads),
     .fallback = "0",
     .max = 64,
     .help = "Threads that check signatures; 0: one for each processor."},
    {.key = "log_level",
     .type = CONF_ENUM,
     CONF_AT(struct config_aggregator, log_level),
     .fallback = "info",
     .names = log_levels,
     .help = "The log is JSON lines on stderr."},
};
static const struct conf_table aggregator_table = {CONF_FIELDS(aggregator_fields),
                                                   .size_bytes = sizeof(struct config_aggregator),
                                                   .check = check_aggregator};

const struct conf_table *config_table(void)
{
    return &aggregator_table;
}

struct hr_status config_load(const char *path, struct config_aggregator *out, struct conf_report *report)
{
    return conf_load(path, &aggregator_table, out, report);
}

/* ---- the Kafka section alone ---- */

static const struct conf_field kafka_sinks_fields[] = {
    {.key = "kafka",
     .type = CONF_SECTION,
     CONF_AT(struct config_sinks, kafka),
     .table = &kafka_table,
     .required = true,
     .help = "As in the whole configuration."},
};
static const struct conf_table kafka_sinks_table = {CONF_FIELDS(kafka_sinks_fields), .is_open = true};

static const struct conf_field kafka_only_fields[] = {
    {.key = "sinks",
     .type = CONF_SECTION,
     CONF_AT(struct config_aggregator, sinks),
     .table = &kafka_sinks_table,
     .required = true,
     .help = "As in the whole configuration."},
};
static const struct conf_table kafka_only_table = {
    CONF_FIELDS(kafka_only_fields), .size_bytes = sizeof(struct config_aggregator), .is_open = true};

struct hr_status config_load_kafka(const char *path, struct config_aggregator *out,
                                   struct conf_report *report)
{
    return conf_load(path, &kafka_only_table, out, report);
}
