/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/config.h"

#include "firmware/app/config_modbus.h"
#include "firmware/app/config_vault.h"
#include "firmware/app/taps_http.h"
#include "firmware/crypto/key_file.h"
#include "firmware/port/port_log.h"
#include "proto/config/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { SPOOL_MIN_SECTORS = 4, SPOOL_MAX_SECTORS = 65536 };

/* ---- what a field alone can't tell ---- */

static const char *check_name(const char *text)
{
    return strpbrk(text, "\"\\") == NULL ? NULL : "quotes and backslashes have no place in a name";
}

static const char *check_uri(const char *text)
{
    struct net_address address;
    return hr_is_ok(net_address_parse(text, &address)) ? NULL
                                                       : "not coaps://host[:port] or coaps+tcp://host[:port]";
}

static const char *check_server_name(const char *text)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, text, &v4) == 1 || inet_pton(AF_INET6, text, &v6) == 1) {
        return "an address; certificates are checked by DNS name, whatever address the aggregator is reached "
               "at";
    }
    return NULL;
}

static void check_files(const struct app_identity *identity, struct conf_place *place)
{
    struct crypto_fault fault;
    if (!hr_is_ok(crypto_certificates_check(identity->ca, &fault))) {
        conf_complain(place, "ca", "%s", fault.text);
    }
    if (!hr_is_ok(crypto_certificates_check(identity->certificate, &fault))) {
        conf_complain(place, "certificate", "%s", fault.text);
    } else if (!hr_is_ok(crypto_key_pair_check(identity->certificate, identity->key, &fault))) {
        conf_complain(place, "key", "%s", fault.text);
    }
    struct crypto_signer signer;
    if (!hr_is_ok(crypto_signer_load_file(&signer, identity->record_key, identity->key_epoch, &fault))) {
        conf_complain(place, "record_key", "%s", fault.text);
    } else {
        crypto_signer_unload(&signer);
    }
}

static void check_identity(const void *section, struct conf_place *place)
{
    const struct app_identity *identity = section;
    const struct {
        const char *key;
        const char *value;
    } files[] = {{"certificate", identity->certificate},
                 {"key", identity->key},
                 {"record_key", identity->record_key},
                 {"ca", identity->ca}};
    bool is_whole = true;
    for (size_t i = 0; i < HR_ARRAY_LEN(files); i++) {
        if ((files[i].value[0] != '\0') != (identity->directory[0] == '\0')) {
            conf_complain(place, files[i].key, "%s",
                          files[i].value[0] == '\0' ? "is required and missing" : "the directory has it");
            is_whole = false;
        }
    }
    if (is_whole && identity->directory[0] == '\0') {
        check_files(identity, place);
    }
}

static void check_spool(const void *section, struct conf_place *place)
{
    const struct app_spool *spool = section;
    uint64_t n_sectors = spool->size_bytes / spool->sector_bytes;
    if (spool->size_bytes % spool->sector_bytes != 0) {
        conf_complain(place, "size", "not a multiple of sector");
    } else if (n_sectors < SPOOL_MIN_SECTORS || n_sectors > SPOOL_MAX_SECTORS) {
        conf_complain(place, "size", "%llu sectors; it takes %d to %d", (unsigned long long)n_sectors,
                      SPOOL_MIN_SECTORS, SPOOL_MAX_SECTORS);
    }
    if (spool->sector_bytes % 4096 != 0) {
        conf_complain(place, "sector", "not a multiple of 4KiB");
    }
}

static void check_readable(const void *section, struct conf_place *place)
{
    const struct app_tap *tap = section;
    if (access(tap->path, R_OK) != 0) {
        conf_complain(place, "path", "%s: %s", tap->path, strerror(errno));
    }
}

static const char *check_connect_to(const char *text)
{
    uint32_t colons = 0;
    for (const char *at = text; *at != '\0'; at++) {
        colons += *at == ':' ? 1 : 0;
    }
    return colons == 3 ? NULL : "not HOST:PORT:OTHER-HOST:OTHER-PORT";
}

static void check_http(const void *section, struct conf_place *place)
{
    const struct app_tap *tap = section;
    if (tap->ca[0] != '\0' && access(tap->ca, R_OK) != 0) {
        conf_complain(place, "ca", "%s: %s", tap->ca, strerror(errno));
    }
    app_http_check(tap, place);
}

static void check_config(const void *section, struct conf_place *place)
{
    const struct app_config *config = section;
    const struct {
        const char *key;
        bool is_there;
    } names[] = {{"device_id", config->device_id != 0},
                 {"aggregators", config->n_aggregators != 0},
                 {"server_name", config->server_name[0] != '\0'}};
    const bool has_directory = config->identity.directory[0] != '\0';
    for (size_t i = 0; i < HR_ARRAY_LEN(names); i++) {
        if (names[i].is_there == has_directory) {
            conf_complain(place, names[i].key, "%s",
                          has_directory ? "the identity's directory has it" : "is required and missing");
        }
    }
    if (has_directory && config->renewal_folder[0] != '\0') {
        conf_complain(place, "renewal", "folder: the identity's directory has it");
    }
    if (has_directory && config->trust[0] != '\0') {
        conf_complain(place, "trust", "the identity's directory has it");
    }
    uint32_t n_http = 0;
    for (uint32_t i = 0; i < config->n_taps; i++) {
        n_http += config->taps[i].type == APP_TAP_HTTP ? 1 : 0;
    }
    if (n_http > 1) {
        conf_complain(place, "taps",
                      "one tap of type http polls all feeds: two would not know of each other's "
                      "requests");
    }
    app_modbus_check_taps(config, place);
}

/* ---- the tables ---- */

static const struct conf_field identity_fields[] = {
    {.key = "directory",
     .type = CONF_STRING,
     CONF_AT(struct app_identity, directory),
     .min = 1,
     .help = "Instead of the files below: what `headrace device provision` fills; made at the first start."},
    {.key = "serial",
     .type = CONF_STRING,
     CONF_AT(struct app_identity, serial),
     .min = 1,
     .check_text = check_name,
     .help = "With directory: the serial number of the hardware; without it the machine's id."},
    {.key = "certificate",
     .type = CONF_STRING,
     CONF_AT(struct app_identity, certificate),
     .min = 1,
     .help = "PEM file: the certificate of this device, then intermediates."},
    {.key = "key",
     .type = CONF_STRING,
     CONF_AT(struct app_identity, key),
     .min = 1,
     .help = "PEM file: the private key of the certificate; mode 0600."},
    {.key = "record_key",
     .type = CONF_STRING,
     CONF_AT(struct app_identity, record_key),
     .min = 1,
     .help = "PEM or DER file: the P-256 key that signs batches; mode 0600."},
    {.key = "key_epoch",
     .type = CONF_UINT,
     CONF_AT(struct app_identity, key_epoch),
     .fallback = "1",
     .min = 1,
     .max = UINT16_MAX,
     .help = "The epoch under which the record key is registered."},
    {.key = "ca",
     .type = CONF_STRING,
     CONF_AT(struct app_identity, ca),
     .min = 1,
     .help = "PEM file: authorities of the aggregators' certificates."},
};
static const struct conf_table identity_table = {CONF_FIELDS(identity_fields), .check = check_identity};

static const struct conf_field spool_fields[] = {
    {.key = "path",
     .type = CONF_STRING,
     CONF_AT(struct app_spool, path),
     .required = true,
     .min = 1,
     .help = "The file that holds what is not acknowledged yet; made at the first start."},
    {.key = "size",
     .type = CONF_SIZE,
     CONF_AT(struct app_spool, size_bytes),
     .fallback = "64MiB",
     .min = 262144,
     .max = UINT64_C(1) << 31,
     .help = "Its whole length, taken at once. What does not fit drives out the oldest."},
    {.key = "sector",
     .type = CONF_SIZE,
     CONF_AT(struct app_spool, sector_bytes),
     .fallback = "256KiB",
     .min = 65536,
     .max = 16777216,
     .help = "What is freed at once."},
};
static const struct conf_table spool_table = {CONF_FIELDS(spool_fields), .check = check_spool};

static const struct conf_field seal_fields[] = {
    {.key = "max_age",
     .type = CONF_DURATION,
     CONF_AT(struct app_config, seal_max_age_ms),
     .fallback = "5s",
     .min = 50,
     .max = 3600000,
     .help = "A batch is sealed when its first record is this old: what a power cut may cost."},
    {.key = "max_bytes",
     .type = CONF_SIZE,
     CONF_AT(struct app_config, seal_max_bytes),
     .fallback = "15000",
     .min = 256,
     .max = WIRE_GATEWAY_ENVELOPE_MAX_BYTES - WIRE_PREFIX_BYTES,
     .help = "A batch is sealed when its records reach this."},
};
static const struct conf_table seal_table = {CONF_FIELDS(seal_fields)};

static const struct conf_field uplink_fields[] = {
    {.key = "window",
     .type = CONF_UINT,
     CONF_AT(struct app_config, window),
     .fallback = "4",
     .min = 1,
     .max = NET_MAX_WINDOW,
     .help = "Batches that may be under way at once."},
    {.key = "open_timeout",
     .type = CONF_DURATION,
     CONF_AT(struct app_config, open_timeout_ms),
     .fallback = "20s",
     .min = 1000,
     .max = 300000,
     .help = "For the look-up of the name, the connection and the handshake."},
    {.key = "exchange_timeout",
     .type = CONF_DURATION,
     CONF_AT(struct app_config, exchange_timeout_ms),
     .fallback = "95s",
     .min = 1000,
     .max = 600000,
     .help = "For one batch and its acknowledgement; over coaps without progress."},
    {.key = "silence",
     .type = CONF_DURATION,
     CONF_AT(struct app_config, silence_ms),
     .fallback = "5s",
     .min = 500,
     .max = 300000,
     .help = "A session without an answer for so long is pinged, and left when it is silent for twice as "
             "long again."},
    {.key = "ack_timeout",
     .type = CONF_DURATION,
     CONF_AT(struct app_config, ack_timeout_ms),
     .fallback = "2s",
     .min = 100,
     .max = 60000,
     .help = "coaps: until a message is sent again for the first time, while no round trip is known."},
    {.key = "max_retransmit",
     .type = CONF_UINT,
     CONF_AT(struct app_config, max_retransmit),
     .fallback = "4",
     .max = 10,
     .help = "coaps: how often a request that is no batch is sent again."},
};
static const struct conf_table uplink_table = {CONF_FIELDS(uplink_fields)};

static const struct conf_field client_fields[] = {
    {.key = "host",
     .type = CONF_STRING,
     CONF_AT(struct app_tap, host),
     .required = true,
     .min = 1,
     .help = "Name or address of the receiver."},
    {.key = "port",
     .type = CONF_UINT,
     CONF_AT(struct app_tap, port),
     .required = true,
     .min = 1,
     .max = UINT16_MAX,
     .help = "Its TCP port."},
};
static const struct conf_table client_table = {CONF_FIELDS(client_fields)};

static const struct conf_field listener_fields[] = {
    {.key = "host",
     .type = CONF_STRING,
     CONF_AT(struct app_tap, host),
     .fallback = "0.0.0.0",
     .help = "The address to listen on."},
    {.key = "port",
     .type = CONF_UINT,
     CONF_AT(struct app_tap, port),
     .required = true,
     .min = 0,
     .max = UINT16_MAX,
     .help = "The port to listen on; 0: any free one, which the log tells."},
};
static const struct conf_table listener_table = {CONF_FIELDS(listener_fields)};

static const struct conf_field serial_fields[] = {
    {.key = "path",
     .type = CONF_STRING,
     CONF_AT(struct app_tap, path),
     .required = true,
     .min = 1,
     .help = "The device, such as /dev/ttyUSB0."},
    {.key = "baud",
     .type = CONF_UINT,
     CONF_AT(struct app_tap, baud),
     .fallback = "38400",
     .min = 4800,
     .max = 921600,
     .help = "Bits a second; 8 data bits, no parity, 1 stop bit."},
};
static const struct conf_table serial_table = {CONF_FIELDS(serial_fields), .check = app_check_baud_of_tap};

static const struct conf_field file_fields[] = {
    {.key = "path",
     .type = CONF_STRING,
     CONF_AT(struct app_tap, path),
     .required = true,
     .min = 1,
     .help = "A recording, read once from its start."},
};
static const struct conf_table file_table = {CONF_FIELDS(file_fields), .check = check_readable};
static const struct conf_table stdin_table = {.fields = NULL};

static const struct conf_variant sources[] = {
    [APP_SOURCE_TCP_CLIENT] = {"tcp-client", &client_table},
    [APP_SOURCE_TCP_SERVER] = {"tcp-server", &listener_table},
    [APP_SOURCE_UDP] = {"udp", &listener_table},
    [APP_SOURCE_SERIAL] = {"serial", &serial_table},
    [APP_SOURCE_FILE] = {"file", &file_table},
    [APP_SOURCE_STDIN] = {"stdin", &stdin_table},
};

static const struct conf_field ais_fields[] = {
    {.key = "duplicate_window",
     .type = CONF_DURATION,
     CONF_AT(struct app_tap, duplicate_window_ms),
     .fallback = "0",
     .max = 600000,
     .help = "The same payload within this time is one record; 0: all are."},
    {.key = "downsample",
     .type = CONF_DURATION,
     CONF_AT(struct app_tap, downsample_ms),
     .fallback = "0",
     .max = 3600000,
     .help = "One position report of each vessel in this time; 0: all of them."},
};
static const struct conf_table ais_table = {CONF_FIELDS(ais_fields),
                                            CONF_VARIANTS("source", sources, struct app_tap, source)};

static const struct conf_field http_fields[] = {
    {.key = "feeds",
     .type = CONF_STRING,
     CONF_AT(struct app_tap, path),
     .required = true,
     .min = 1,
     .help = "The folder of feeds, or one feed's file; headrace feeds lint checks them."},
    {.key = "only",
     .type = CONF_STRINGS,
     CONF_LIST_AT(struct app_tap, only, n_only),
     .help = "Names of the feeds that this collector polls; without it all that are enabled."},
    {.key = "credentials",
     .type = CONF_STRING,
     CONF_AT(struct app_tap, credentials),
     .help = "The folder of secrets, a file each; without it systemd's $CREDENTIALS_DIRECTORY."},
    {.key = "ca",
     .type = CONF_STRING,
     CONF_AT(struct app_tap, ca),
     .help = "PEM file of authorities, instead of the system's."},
    {.key = "connect_to",
     .type = CONF_STRINGS,
     CONF_LIST_AT(struct app_tap, connect_to, n_connect_to),
     .check_text = check_connect_to,
     .help = "HOST:PORT:OTHER:PORT: where to connect to for a host; certificates are still the host's."},
    {.key = "breaker",
     .type = CONF_DURATION,
     CONF_AT(struct app_tap, breaker_ms),
     .fallback = "30s",
     .min = 100,
     .max = 900000,
     .help = "How long a host that failed five times is left alone at first; doubled up to 15m."},
    {.key = "vault",
     .type = CONF_SECTION,
     CONF_SECTION_AT(struct app_tap, vault, has_vault),
     .table = &app_vault_table,
     .help = "HashiCorp Vault, which secrets come from; those that it does not have are files."},
};
static const struct conf_table http_table = {CONF_FIELDS(http_fields), .check = check_http};

static const struct conf_variant tap_types[] = {
    [APP_TAP_AIS] = {"ais", &ais_table},
    [APP_TAP_HTTP] = {"http", &http_table},
    [APP_TAP_MODBUS] = {"modbus", &app_modbus_table},
};
static const struct conf_table tap_table = {CONF_VARIANTS("type", tap_types, struct app_tap, type)};

static const char *const log_levels[] = {[PORT_LOG_DEBUG] = "debug",
                                         [PORT_LOG_INFO] = "info",
                                         [PORT_LOG_WARN] = "warn",
                                         [PORT_LOG_ERROR] = "error",
                                         NULL};
static const struct conf_field log_fields[] = {
    {.key = "level",
     .type = CONF_ENUM,
     CONF_AT(struct app_config, log_level),
     .fallback = "info",
     .names = log_levels,
     .help = "What is below it is left out."},
};
static const struct conf_table log_table = {CONF_FIELDS(log_fields)};

static const struct conf_field status_fields[] = {
    {.key = "path",
     .type = CONF_STRING,
     CONF_AT(struct app_config, status_path),
     .help = "A JSON file that is written anew each second."},
};
static const struct conf_table status_table = {CONF_FIELDS(status_fields)};

/* Sections whose members stand in struct app_config itself. */
#define SECTION_HERE                                                                                         \
    .offset_bytes = 0, .size_bytes = sizeof(struct app_config), .capacity = 1,                               \
    .count_offset_bytes = CONF_NOWHERE

static const struct conf_field renewal_fields[] = {
    {.key = "folder",
     .type = CONF_STRING,
     CONF_AT(struct app_config, renewal_folder),
     .fallback = "",
     .help = "Where the next keys and certificates are kept; writable, and for nobody else to read. Not "
             "with identity.directory, which keeps them itself."},
    {.key = "before",
     .type = CONF_DURATION,
     CONF_AT(struct app_config, renewal_before_ms),
     .fallback = "60d",
     .min = 1000,
     .max = UINT64_C(10) * 365 * 86400000,
     .help = "How long before its end a certificate is renewed, by the aggregator's clock."},
};
static const struct conf_table renewal_table = {CONF_FIELDS(renewal_fields)};

static const struct conf_field fields[] = {
    {.key = "device_id",
     .type = CONF_UINT,
     CONF_AT(struct app_config, device_id),
     .min = 1,
     .help = "The number that the registry gave this device."},
    {.key = "name",
     .type = CONF_STRING,
     CONF_AT(struct app_config, name),
     .check_text = check_name,
     .help = "For people; it goes into logs."},
    {.key = "identity",
     .type = CONF_SECTION,
     CONF_AT(struct app_config, identity),
     .table = &identity_table,
     .help = "Keys and certificates, as headrace device enrol makes them."},
    {.key = "trust",
     .type = CONF_STRING,
     CONF_AT(struct app_config, trust),
     .fallback = "",
     .help = "Folder of the trust bundle that is followed, as headrace device enrol makes it; it must be "
             "writable."},
    {.key = "renewal",
     .type = CONF_SECTION,
     SECTION_HERE,
     .table = &renewal_table,
     .help = "The transport key is changed before its certificate ends; without it, it stays."},
    {.key = "aggregators",
     .type = CONF_STRINGS,
     CONF_LIST_AT(struct app_config, aggregators, n_aggregators),
     .check_text = check_uri,
     .help = "Tried in turn: coaps://host:port or coaps+tcp://host:port."},
    {.key = "server_name",
     .type = CONF_STRING,
     CONF_AT(struct app_config, server_name),
     .min = 1,
     .check_text = check_server_name,
     .help = "The DNS name that the aggregator's certificate must have."},
    {.key = "spool",
     .type = CONF_SECTION,
     CONF_AT(struct app_config, spool),
     .table = &spool_table,
     .help = "Where records wait until they are acknowledged."},
    {.key = "seal",
     .type = CONF_SECTION,
     SECTION_HERE,
     .table = &seal_table,
     .help = "When a batch is closed."},
    {.key = "uplink",
     .type = CONF_SECTION,
     SECTION_HERE,
     .table = &uplink_table,
     .help = "How batches are sent."},
    {.key = "taps",
     .type = CONF_LIST,
     CONF_LIST_AT(struct app_config, taps, n_taps),
     .table = &tap_table,
     .min = 1,
     .required = true,
     .help = "Where data comes from."},
    {.key = "stats_interval",
     .type = CONF_DURATION,
     CONF_AT(struct app_config, stats_interval_ms),
     .fallback = "60s",
     .min = 1000,
     .max = 86400000,
     .help = "How often the counters are recorded."},
    {.key = "anchor_interval",
     .type = CONF_DURATION,
     CONF_AT(struct app_config, anchor_interval_ms),
     .fallback = "60s",
     .min = 1000,
     .max = 86400000,
     .help = "How often the time is recorded."},
    {.key = "log",
     .type = CONF_SECTION,
     SECTION_HERE,
     .table = &log_table,
     .help = "The log, JSON lines on stderr."},
    {.key = "status",
     .type = CONF_SECTION,
     SECTION_HERE,
     .table = &status_table,
     .help = "What it is doing."},
    {.key = "shutdown_flush",
     .type = CONF_DURATION,
     CONF_AT(struct app_config, shutdown_flush_ms),
     .fallback = "2s",
     .max = 600000,
     .help = "How long an ending collector goes on sending."},
};
static const struct conf_table table = {CONF_FIELDS(fields), .size_bytes = sizeof(struct app_config),
                                        .check = check_config};

struct hr_status app_config_load(const char *path, struct app_config *out, FILE *errors)
{
    static struct conf_report report;
    struct hr_status status = conf_load(path, &table, out, &report);
    if (!hr_is_ok(status)) {
        conf_report_print(&report, errors);
    }
    return status;
}

void app_config_print_schema(FILE *out)
{
    conf_print_schema(&table, "headrace-collector", out);
}
