/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace device factory`: what a board's memory has before anybody claims it. */
#include "proto/base/assert.h"
#include "tools/cli/cli.h"
#include "tools/cli/enrol.h"
#include "tools/cli/options.h"
#include "tools/cli/verbs.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { BOARD, SERIAL, OUT, FORCE, PLAN };
enum { LOCAL_UNICAST = 0x02, DIGEST_BYTES = 32 };

/* An address of the locally administered kind, after the serial. */
static void mac_of(const char *serial, uint8_t out[IMAGE_MAC_BYTES])
{
    uint8_t digest[DIGEST_BYTES] = {0};
    (void)EVP_Digest(serial, strlen(serial), digest, NULL, EVP_sha256(), NULL);
    memcpy(out, digest, IMAGE_MAC_BYTES);
    out[0] = LOCAL_UNICAST;
}

static struct hr_status write_factory(const struct image_board *board, const char *serial,
                                      const char *plan_path, const char *out, bool force)
{
    static struct cli_plan_page plan;
    struct cli_path path;
    struct image_identity identity = {
        .sequence = 1,
        .regions = {board->sector_bytes, board->program_unit_bytes,
                    image_spool_first_sector(board->sector_bytes), board->spool_n_sectors},
        .board = board->name,
        .serial = serial,
        .state = IMAGE_FACTORY,
    };
    mac_of(serial, identity.mac);
    if (plan_path != NULL) {
        HR_TRY(cli_plan_compile(plan_path, board->name, &plan));
    }
    HR_TRY(cli_directory_make(out));
    HR_TRY(cli_path_of(&path, out, "memory.img"));
    return cli_board_memory_write(board, &identity, plan_path != NULL ? &plan : NULL, NULL, &path, force);
}

int cli_device_factory(int argc, char **argv)
{
    static const struct cli_option options[] = {
        [BOARD] = {"--board", "BOARD", true, 1, "Whose memory it is."},
        [SERIAL] = {"--serial", "SERIAL", true, 1, "Of the hardware, as it stands on its case."},
        [OUT] = {"--out", "DIR", true, 1, "Where memory.img goes."},
        [FORCE] = {"--force", NULL, false, 1, "Replace the file."},
        [PLAN] = {"--plan", "FILE", false, 1, "YAML, what it polls over its Modbus line."},
    };
    const struct cli_usage usage = {
        "device factory", NULL, options, HR_ARRAY_LEN(options),
        "Makes the memory that a board leaves the factory with: its serial, its network by DHCP and router\n"
        "advertisement, and a seed of its random numbers. The board makes its keys itself, when `headrace "
        "device\nprovision` asks it to."};
    struct cli_arguments given;
    int parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    const struct image_board *board = image_board_find(given.values[BOARD][0]);
    const char *serial = given.values[SERIAL][0];
    if (board == NULL || !cli_is_name(serial)) {
        (void)fprintf(stderr,
                      "headrace device factory: no such board, or a serial that is not letters, digits, '.', "
                      "'-' and '_'\n");
        return CLI_USAGE;
    }
    return hr_is_ok(write_factory(board, serial, cli_option_or(&given, PLAN, NULL), given.values[OUT][0],
                                  given.n_values[FORCE] > 0))
               ? CLI_OK
               : CLI_FAILED;
}
