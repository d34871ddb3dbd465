/* SPDX-License-Identifier: Apache-2.0
 *
 * The aggregator's configuration: one YAML file, read by a table that is its manual and its JSON Schema too.
 * aggregator/app/aggregator.example.yaml shows every key. */
#ifndef CONFIG_H
#define CONFIG_H

#include "proto/config/config.h"

#include <stdio.h>

enum {
    CONFIG_PATH_MAX_CHARS = 511,
    CONFIG_URL_MAX_CHARS = 255,
    CONFIG_MAX_LISTEN = 8,
    CONFIG_MAX_SITES = 256,
    CONFIG_MAX_PROPERTIES = 60,
    CONFIG_NAME_MAX_CHARS = 63,
};

struct config_identity {
    char certificate[CONFIG_PATH_MAX_CHARS + 1];
    char key[CONFIG_PATH_MAX_CHARS + 1];
    char client_ca[CONFIG_PATH_MAX_CHARS + 1];
};

struct config_postgres {
    char host[CONFIG_PATH_MAX_CHARS + 1]; /* or the folder of a unix socket */
    uint16_t port;
    char database[CONFIG_NAME_MAX_CHARS + 1];
    char user[CONFIG_NAME_MAX_CHARS + 1];
    char password_file[CONFIG_PATH_MAX_CHARS + 1];
    char tls[CONFIG_NAME_MAX_CHARS + 1]; /* libpq's sslmode */
    char ca_file[CONFIG_PATH_MAX_CHARS + 1];
    char schema[CONFIG_NAME_MAX_CHARS + 1];
    uint32_t connect_timeout_ms;
    uint32_t commit_timeout_ms;
};

/* One of the two. */
struct config_ledger {
    char sqlite[CONFIG_PATH_MAX_CHARS + 1]; /* empty: PostgreSQL */
    uint64_t max_bytes;
    uint64_t min_free_bytes;
    uint64_t retention_ms;
    uint64_t revisions_ms; /* how long after its end an observation's revisions are told */
    bool has_postgres;
    struct config_postgres postgres;
};

struct config_files_sink {
    char dir[CONFIG_PATH_MAX_CHARS + 1];
};

struct config_kafka_sink {
    uint32_t n_properties;
    struct conf_pair properties[CONFIG_MAX_PROPERTIES]; /* librdkafka's own names */
    char cursor_topic[CONFIG_NAME_MAX_CHARS + 1];
    bool create_topics;
    uint32_t partitions;  /* of topics made here; 0: as declared */
    uint32_t replication; /* likewise */
};

struct config_sinks {
    bool has_files;
    struct config_files_sink files;
    bool has_kafka;
    struct config_kafka_sink kafka;
    uint32_t transaction_max_batches;
    uint64_t transaction_max_bytes;
    uint32_t transaction_linger_ms;
};

struct config_schema_registry {
    char url[CONFIG_URL_MAX_CHARS + 1];
    char ca_file[CONFIG_PATH_MAX_CHARS + 1];
    char user_file[CONFIG_PATH_MAX_CHARS + 1];
    uint32_t timeout_ms;
};

struct config_http {
    char address[CONFIG_NAME_MAX_CHARS + 1];
    uint16_t port;
    uint32_t max_connections;
};

struct config_admin {
    char address[CONFIG_NAME_MAX_CHARS + 1];
    uint16_t port;
    char certificate[CONFIG_PATH_MAX_CHARS + 1];
    char key[CONFIG_PATH_MAX_CHARS + 1];
    char operator_ca[CONFIG_PATH_MAX_CHARS + 1];
    char revoked[CONFIG_PATH_MAX_CHARS + 1]; /* empty: none */
    uint32_t max_connections;
};

struct config_rotation {
    uint64_t record_key_max_age_ms; /* 0: none */
};

struct config_renewal {
    char issuer_certificate[CONFIG_PATH_MAX_CHARS + 1];
    char issuer_key[CONFIG_PATH_MAX_CHARS + 1];
    char folder[CONFIG_PATH_MAX_CHARS + 1]; /* empty: none */
    uint32_t days;
    uint64_t overlap_ms;
};

struct config_limits {
    uint32_t max_devices;
    uint32_t max_sessions;
    uint32_t max_handshakes;
    uint32_t max_waiting;
    uint32_t max_bodies;
    uint32_t max_held;
    uint64_t max_envelope_bytes;
    uint64_t max_inflight_bytes;
    uint64_t session_idle_ms;
    uint64_t commit_window_ms;
    uint64_t retry_after_ms;
};

/* By enum config_log_level. */
enum config_log_level { CONFIG_LOG_ERROR, CONFIG_LOG_WARN, CONFIG_LOG_INFO, CONFIG_LOG_DEBUG };

struct config_listen {
    char address[CONFIG_NAME_MAX_CHARS + 1];
    uint16_t port;
    bool tcp;
};

/* Where a collector of plants stands. */
struct config_site {
    char name[64];
    char collector[17]; /* 16 hexadecimal digits */
    uint32_t iso;       /* 0: none */
    char node[64];      /* empty without an operator */
    uint32_t inverters;
};

struct config_aggregator {
    uint32_t n_uris;
    char uris[CONFIG_MAX_LISTEN][CONFIG_NAME_MAX_CHARS + 32];
    struct config_identity identity;
    char registry[CONFIG_PATH_MAX_CHARS + 1];
    char trust_bundle[CONFIG_PATH_MAX_CHARS + 1]; /* empty: none */
    struct config_ledger ledger;
    struct config_sinks sinks;
    bool has_schema_registry;
    struct config_schema_registry schema_registry;
    bool has_http;
    struct config_http http;
    bool has_admin;
    struct config_admin admin;
    struct config_rotation rotation;
    bool has_renewal;
    struct config_renewal renewal;
    struct config_limits limits;
    uint32_t n_sites;
    struct config_site sites[CONFIG_MAX_SITES];
    uint32_t verify_threads;
    enum config_log_level log_level;
};

/* Reads and checks the file; errors as conf_load. Also a mistake: a file or directory that is named and not
 * there, a private key that others may read, and no sink at all. */
HR_MUST_USE struct hr_status config_load(const char *path, struct config_aggregator *out,
                                         struct conf_report *report);

/* Reads sinks.kafka alone and passes over the rest: for tools that talk to the same cluster from another
 * machine. Nothing else of *out is filled. Errors as conf_load. */
HR_MUST_USE struct hr_status config_load_kafka(const char *path, struct config_aggregator *out,
                                               struct conf_report *report);

/* The device id of a site's collector. */
uint64_t config_site_collector(const struct config_site *site);
/* "caiso"; NULL: none. Static storage. */
const char *config_site_iso_code(const struct config_site *site);
/* "solar": what its inverters turn into power; static storage. */
const char *config_site_fuel(const struct config_site *site);

/* Reads sites alone, likewise. */
HR_MUST_USE struct hr_status config_load_sites(const char *path, struct config_aggregator *out,
                                               struct conf_report *report);

/* "coaps://192.0.2.1:5684" or "coaps+tcp://[::]:5684" taken apart; false when it is anything else. Names are
 * not resolved: an aggregator listens on addresses. */
bool config_listen_parse(const char *uri, struct config_listen *out);

/* For the JSON Schema. */
const struct conf_table *config_table(void);

#endif
