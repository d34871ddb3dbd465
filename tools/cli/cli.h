/* SPDX-License-Identifier: Apache-2.0
 *
 * The verbs of the `headrace` program. Each is given its own words: argv[0] is the last word of the verb as
 * the user wrote it ("ca", "ais"), argv[1] on are its arguments, argv[argc] is NULL. It returns the exit code
 * of the program, writes results to stdout and complaints to stderr. */
#ifndef CLI_H
#define CLI_H

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,     /* a check said no, or something could not be done */
    CLI_INCOMPLETE = 2, /* what was looked at can't be judged: parts are missing */
    CLI_USAGE = 3,
};

int cli_ca(int argc, char **argv);
int cli_device(int argc, char **argv);
int cli_audit(int argc, char **argv);
int cli_rotate(int argc, char **argv);
int cli_spool(int argc, char **argv);
int cli_feeds_lint(int argc, char **argv);
int cli_ledger(int argc, char **argv);
int cli_feeds(int argc, char **argv);
int cli_verify(int argc, char **argv);
int cli_tail(int argc, char **argv);
int cli_topics(int argc, char **argv);
int cli_schemas(int argc, char **argv);
int cli_feeds_test(int argc, char **argv);   /* `headrace feeds test` */
int cli_feeds_places(int argc, char **argv); /* `headrace feeds places` */
int cli_sim_ais(int argc, char **argv);
int cli_sim_iso(int argc, char **argv);
int cli_sim_sunspec(int argc, char **argv);
int cli_tap_probe(int argc, char **argv); /* `headrace tap probe` */

#endif
