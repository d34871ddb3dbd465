/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/poll/memory.h"

#include <string.h>

uint64_t poll_request_hash(const char *url)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (; *url != '\0'; url++) {
        hash = (hash ^ (uint8_t)*url) * UINT64_C(0x100000001B3);
    }
    return hash != 0 ? hash : 1;
}

const struct poll_answer *poll_memory_find(const struct poll_memory *memory, uint64_t request)
{
    for (uint32_t i = 0; i < POLL_MEMORY_PLACES; i++) {
        if (memory->answers[i].request == request) {
            return &memory->answers[i];
        }
    }
    return NULL;
}

bool poll_memory_take(struct poll_memory *memory, const struct poll_answer *answer)
{
    for (uint32_t i = 0; i < POLL_MEMORY_PLACES; i++) {
        struct poll_answer *known = &memory->answers[i];
        if (known->request == answer->request) {
            bool is_same = known->len_bytes == answer->len_bytes &&
                           memcmp(known->sha256, answer->sha256, sizeof known->sha256) == 0;
            *known = *answer;
            return is_same;
        }
    }
    memory->answers[memory->next] = *answer;
    memory->next = (memory->next + 1) % POLL_MEMORY_PLACES;
    return false;
}
