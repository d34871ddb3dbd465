/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/status.h"

#include "firmware/app/config.h"
#include "firmware/app/transport_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static void write_stats(FILE *file, const struct fw_collector *collector)
{
    static struct edge_stats stats;
    for (uint32_t i = 0; i < collector->n_sources; i++) {
        collector->sources[i].stats(collector->sources[i].ctx, &stats);
        (void)fprintf(file, "%s\"%s\":{", i == 0 ? "" : ",", stats.source);
        for (uint16_t k = 0; k < stats.n_counters; k++) {
            (void)fprintf(file, "%s\"%s\":%" PRIu64, k == 0 ? "" : ",", stats.counter[k].name,
                          stats.counter[k].value);
        }
        (void)fputc('}', file);
    }
}

/* Of the transport key that sessions are opened with, and its certificate. */
static void write_transport(FILE *file, const struct crypto_certificate_facts *transport)
{
    (void)fputs("\"transport_key\":\"", file);
    for (size_t i = 0; i < APP_TRANSPORT_SHOWN_BYTES; i++) {
        (void)fprintf(file, "%02x", transport->spki_sha256[i]);
    }
    (void)fprintf(file, "\",\"certificate_ends_s\":%" PRIu64 ",", transport->ends_s);
}

static void write_object(FILE *file, const struct fw_collector *collector, uint64_t device_id,
                         const char *name, const struct crypto_certificate_facts *transport)
{
    struct fw_spool_state spool;
    fw_spool_state(collector->config.spool, &spool);
    uint32_t n_acked = spool.acked_seq + 1; /* WIRE_SEQ_NONE + 1 is 0 */
    /* The name came out of a checked configuration: no control characters; quotes are refused there. */
    (void)fprintf(file, "{\"pid\":%ld,\"device_id\":%" PRIu64 ",\"name\":\"%s\",", (long)getpid(), device_id,
                  name);
    (void)fprintf(file, "\"state\":\"%s\",\"drained\":%s,\"boot_id\":%" PRIu32 ",",
                  fw_uplink_state_name(&collector->uplink),
                  fw_collector_is_drained(collector) ? "true" : "false", collector->boot_id);
    write_transport(file, transport);
    (void)fprintf(file,
                  "\"stream\":%" PRIu32 ",\"sealed_batches\":%" PRIu32 ",\"acked_batches\":%" PRIu32
                  ",\"next_record_seq\":%" PRIu64 ",\"open_records\":%" PRIu32 ",",
                  spool.stream, spool.next_batch_seq, n_acked, spool.next_record_seq, spool.open_records);
    (void)fprintf(file, "\"spool_used_bytes\":%" PRIu64 ",\"spool_capacity_bytes\":%" PRIu64 ",\"stats\":{",
                  spool.bytes_used, spool.bytes_capacity);
    write_stats(file, collector);
    (void)fputs("}}\n", file);
}

struct hr_status app_status_write(const char *path, const struct fw_collector *collector, uint64_t device_id,
                                  const char *name, const struct crypto_certificate_facts *transport)
{
    char beside[APP_PATH_MAX_CHARS + 8];
    (void)snprintf(beside, sizeof beside, "%s.new", path);
    FILE *file = fopen(beside, "w");
    if (file == NULL) {
        return hr_status_of(HR_IO);
    }
    write_object(file, collector, device_id, name, transport);
    bool written = ferror(file) == 0;
    written = fclose(file) == 0 && written;
    if (!written || rename(beside, path) != 0) {
        (void)unlink(beside);
        return hr_status_of(HR_IO);
    }
    return hr_ok();
}
