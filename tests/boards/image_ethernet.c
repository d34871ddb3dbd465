/* SPDX-License-Identifier: Apache-2.0
 *
 * Sends back every frame whose destination is this board or everybody: addresses exchanged, the bytes behind
 * them each one higher, in parts of uneven length. One whose first byte of payload is 'd' is left half read.
 */
#include "boards/family/board.h"
#include "boards/family/semihost.h"
#include "boards/family/text.h"

#include <string.h>

enum { ADDRESSES_BYTES = 12, REST_MAX_BYTES = BOARD_FRAME_MAX_BYTES - ADDRESSES_BYTES };

static const uint8_t mac[BOARD_MAC_BYTES] = {0x02, 0x48, 0x52, 0x00, 0x00, 0x07};
static uint8_t addresses[ADDRESSES_BYTES];
static uint8_t rest[REST_MAX_BYTES];

static void answer(size_t rest_bytes)
{
    uint8_t to[BOARD_MAC_BYTES];
    memcpy(to, addresses + BOARD_MAC_BYTES, sizeof to);
    for (size_t i = 2; i < rest_bytes; i++) {
        rest[i]++;
    }
    const struct hr_bytes parts[] = {{to, sizeof to},
                                     {mac, sizeof mac},
                                     {rest, 1},
                                     {rest + 1, 0},
                                     {rest + 1, rest_bytes / 3},
                                     {rest + 1 + rest_bytes / 3, rest_bytes - 1 - rest_bytes / 3}};
    while (!board_ethernet_send(parts, sizeof parts / sizeof parts[0])) {
        board_wait();
    }
}

static void take_frame(size_t len_bytes)
{
    size_t rest_bytes = len_bytes - ADDRESSES_BYTES;
    board_ethernet_take(addresses, sizeof addresses);
    board_ethernet_take(rest, 3);
    if (rest[2] == 'd') {
        board_ethernet_done();
        return;
    }
    board_ethernet_take(rest + 3, rest_bytes - 3);
    answer(rest_bytes);
}

int main(void)
{
    board_start();
    if (!board_ethernet_start(mac)) {
        board_text("no ethernet\r\n");
        board_semihost_exit(1);
    }
    board_text("ready\r\n");
    for (;;) {
        size_t len_bytes = board_ethernet_waiting();
        if (len_bytes > 0) {
            take_frame(len_bytes);
        } else {
            board_wait();
        }
    }
}
