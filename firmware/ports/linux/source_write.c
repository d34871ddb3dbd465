/* SPDX-License-Identifier: Apache-2.0
 *
 * The way to the other side, of sources that have one. */
#include "firmware/ports/linux/source.h"

#include <sys/socket.h>
#include <unistd.h>

bool port_linux_source_is_open(const struct port_linux_source *source)
{
    return source->stream[0] >= 0 && !source->connecting;
}

struct hr_status port_linux_source_write(struct port_linux_source *source, struct hr_bytes bytes)
{
    if (!port_linux_source_is_open(source)) {
        return hr_status_of(HR_AGAIN);
    }
    bool is_socket = source->config.kind == PORT_LINUX_SOURCE_TCP_CLIENT;
    ssize_t len = is_socket ? send(source->stream[0], bytes.data, bytes.len_bytes, MSG_NOSIGNAL)
                            : write(source->stream[0], bytes.data, bytes.len_bytes);
    return len == (ssize_t)bytes.len_bytes ? hr_ok() : hr_status_of(HR_IO);
}

void port_linux_source_reopen(struct port_linux_source *source, uint64_t uptime_ms)
{
    if (source->stream[0] >= 0) {
        (void)close(source->stream[0]);
        source->counts.lost++;
    }
    source->stream[0] = -1;
    source->connecting = false;
    source->down = true;
    source->retry_at_ms = uptime_ms;
}
