/* SPDX-License-Identifier: Apache-2.0
 *
 * The verbs of `headrace device` and `headrace ca`, one a file; as the verbs of cli.h. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include <stdbool.h>
#include <stdint.h>

/* Of `headrace ca`. */
int cli_ca_operator(int argc, char **argv);
int cli_ca_revoke(int argc, char **argv);
int cli_ca_bundle(int argc, char **argv);
int cli_ca_issuer(int argc, char **argv);

int cli_device_enrol(int argc, char **argv);
int cli_device_show(int argc, char **argv);
int cli_device_list(int argc, char **argv);
int cli_device_rotate(int argc, char **argv);
/* `device show` of a device in the registry, where the other one looks into a file. */
int cli_device_registered(int argc, char **argv);
/* Hardware becomes a device (provision.h); is_replace: `device replace`. */
int cli_device_factory(int argc, char **argv);
int cli_device_claim(int argc, char **argv);
int cli_device_provision(int argc, char **argv, bool is_replace);
/* By a running aggregator; needs_yes: it can't be undone. */
int cli_device_decide_online(int argc, char **argv, const char *decision, bool needs_yes);
/* device_decide.c: lets a device in again with a transport key that is over, or not known. */
int cli_device_readmit(int argc, char **argv);

#endif
