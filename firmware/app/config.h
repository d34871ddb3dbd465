/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration of headrace-collector: one YAML file, checked whole, every mistake told with its line and
 * key. boards/linux_gateway/collector.yaml shows all keys. */
#ifndef APP_CONFIG_H
#define APP_CONFIG_H

#include "firmware/net/client.h"
#include "proto/base/status.h"

#include <stdio.h>

enum {
    APP_MAX_TAPS = 4,
    APP_PATH_MAX_CHARS = 255,
    APP_MAX_ONLY = 128,
    APP_MAX_CONNECT_TO = 16,
};

/* Files, or a directory that holds all of it, which the ceremony fills (app/identity_file.h). */
struct app_identity {
    char directory[APP_PATH_MAX_CHARS + 1]; /* empty: files */
    char serial[64];                        /* of the hardware, where directory is; empty: the machine's */
    char certificate[APP_PATH_MAX_CHARS + 1];
    char key[APP_PATH_MAX_CHARS + 1];
    char record_key[APP_PATH_MAX_CHARS + 1];
    uint16_t key_epoch;
    char ca[APP_PATH_MAX_CHARS + 1];
};

struct app_spool {
    char path[APP_PATH_MAX_CHARS + 1];
    uint64_t size_bytes;
    uint32_t sector_bytes;
};

enum app_vault_auth { APP_VAULT_TOKEN, APP_VAULT_APPROLE, APP_VAULT_KUBERNETES };

/* Where secrets come from when not from files (firmware/taps/secret/vault.h). */
struct app_vault {
    char address[128];
    char mount[64];
    char path[128];
    char name_space[64];
    char ca[APP_PATH_MAX_CHARS + 1]; /* empty: as the tap's */
    enum app_vault_auth auth;
    char auth_mount[64]; /* empty: approle or kubernetes */
    char role[64];
    char token_file[APP_PATH_MAX_CHARS + 1];
    char role_id_file[APP_PATH_MAX_CHARS + 1];
    char secret_id_file[APP_PATH_MAX_CHARS + 1];
    char jwt_file[APP_PATH_MAX_CHARS + 1];
    uint32_t refresh_ms;
};

enum app_tap_type { APP_TAP_AIS, APP_TAP_HTTP, APP_TAP_MODBUS };
enum app_source {
    APP_SOURCE_TCP_CLIENT,
    APP_SOURCE_TCP_SERVER,
    APP_SOURCE_UDP,
    APP_SOURCE_SERIAL,
    APP_SOURCE_FILE,
    APP_SOURCE_STDIN,
};

struct app_tap {
    enum app_tap_type type;
    enum app_source source;
    char host[NET_HOST_MAX_CHARS + 1]; /* to connect to, or to listen on */
    uint16_t port;
    char path[APP_PATH_MAX_CHARS + 1]; /* of the device, file, feeds, or plant */
    uint32_t baud;
    uint32_t duplicate_window_ms; /* 0: off */
    uint32_t downsample_ms;       /* 0: off */
    uint32_t n_only;              /* 0: every feed */
    char only[APP_MAX_ONLY][48];
    char credentials[APP_PATH_MAX_CHARS + 1]; /* empty: $CREDENTIALS_DIRECTORY */
    char ca[APP_PATH_MAX_CHARS + 1];          /* empty: the system's authorities */
    uint32_t n_connect_to;
    char connect_to[APP_MAX_CONNECT_TO][256];
    uint32_t breaker_ms;
    bool has_vault;
    struct app_vault vault;
};

struct app_config {
    uint64_t device_id; /* this, aggregators and server_name: nothing where the identity has a directory */
    char name[64];
    struct app_identity identity;
    char renewal_folder[APP_PATH_MAX_CHARS + 1]; /* empty: the transport key stays */
    uint64_t renewal_before_ms;
    char trust[APP_PATH_MAX_CHARS + 1]; /* a folder; empty: identity.ca is believed, for ever */
    uint32_t n_aggregators;
    char aggregators[NET_MAX_ADDRESSES][NET_HOST_MAX_CHARS + 24];
    char server_name[NET_HOST_MAX_CHARS + 1];
    struct app_spool spool;
    uint32_t seal_max_age_ms;
    uint32_t seal_max_bytes;
    uint32_t window;
    uint32_t open_timeout_ms;
    uint32_t exchange_timeout_ms;
    uint32_t silence_ms;
    uint32_t ack_timeout_ms;
    uint32_t max_retransmit;
    uint32_t n_taps;
    struct app_tap taps[APP_MAX_TAPS];
    uint32_t stats_interval_ms;
    uint32_t anchor_interval_ms;
    uint32_t log_level;                       /* enum port_log_level */
    char status_path[APP_PATH_MAX_CHARS + 1]; /* empty: none */
    uint32_t shutdown_flush_ms;
};

/* Reads and checks the file and the keys and certificates that it names; crypto_start was called before.
 * HR_MALFORMED or HR_NOT_FOUND: every mistake was written to `errors` as file:line:key: message. */
HR_MUST_USE struct hr_status app_config_load(const char *path, struct app_config *out, FILE *errors);

/* The JSON Schema of the file, for editors. */
void app_config_print_schema(FILE *out);

#endif
