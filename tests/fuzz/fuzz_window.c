/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies of POST /reprocess. What is taken is a window that makes sense; what is refused says why. */
#include "aggregator/app/window.h"
#include "proto/base/assert.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    struct feed_replay replay = {.id = 1};
    char why[APP_WHY_CHARS] = "";
    struct hr_status status = app_window_parse(hr_bytes_of(data, len_bytes), 1795219200000, &replay, why);
    if (hr_is_ok(status)) {
        HR_ASSERT(replay.from_ms >= 0 && replay.from_ms < replay.to_ms);
        HR_ASSERT(memchr(replay.feed, '\0', sizeof replay.feed) != NULL);
    } else {
        HR_ASSERT(hr_is(status, HR_MALFORMED) && why[0] != '\0' && strlen(why) < sizeof why &&
                  replay.id == 1);
    }
    return 0;
}
