/* SPDX-License-Identifier: Apache-2.0
 *
 * How a simulator ends. */
#ifndef CLI_SIM_STOP_H
#define CLI_SIM_STOP_H

#include <signal.h>

/* From now on SIGINT and SIGTERM cut a wait short and set what is returned, which is the program's; SIGPIPE
 * does nothing. */
const volatile sig_atomic_t *cli_sim_stop_on_signals(void);

#endif
