/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/device.h"
#include "firmware/core/counters.h"
#include "firmware/ports/cortex_m/netif.h"
#include "firmware/ports/cortex_m/pool.h"
#include "proto/base/assert.h"

static void count(struct app_device *device)
{
    struct app_device_counts *counts = &device->counts;
    struct port_netif_state net = {.frames_in = 0};
    struct port_pool_state pool;
    if (device->has_network) {
        port_netif_state(&net);
    }
    port_pool_state(&pool);
    counts->serial_dropped = board_serial_dropped();
    counts->frames_in = net.frames_in;
    counts->frames_out = net.frames_out;
    counts->frames_dropped = net.frames_dropped;
    counts->pool_bytes = pool.capacity_bytes;
    counts->pool_peak_bytes = pool.peak_bytes;
    counts->pool_refused = pool.refused;
    counts->stack_bytes = board_stack_bytes();
    counts->stack_peak_bytes = board_stack_used_bytes();
    counts->reset_cause = board_reset_cause();
}

#define COUNT(name) {#name, offsetof(struct app_device_counts, name)}

void app_device_stats(struct app_device *device, struct edge_stats *out)
{
    static const struct fw_counter table[] = {
        COUNT(serial_bytes),   COUNT(serial_dropped), COUNT(serial_unused),    COUNT(frames_in),
        COUNT(frames_out),     COUNT(frames_dropped), COUNT(pool_bytes),       COUNT(pool_peak_bytes),
        COUNT(pool_refused),   COUNT(stack_bytes),    COUNT(stack_peak_bytes), COUNT(longest_turn_ms),
        COUNT(spool_reopened), COUNT(reset_cause),
    };
    count(device);
    fw_counters_to_stats("device", table, HR_ARRAY_LEN(table), &device->counts, out);
}
