/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/sim_stop.h"

#include <stddef.h>

static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int signal_number)
{
    (void)signal_number;
    stop_asked = 1;
}

/* Without SA_RESTART, so that a wait is cut short. */
const volatile sig_atomic_t *cli_sim_stop_on_signals(void)
{
    struct sigaction ask = {.sa_handler = ask_to_stop};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGINT, &ask, NULL);
    (void)sigaction(SIGTERM, &ask, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    return &stop_asked;
}
