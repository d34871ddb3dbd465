/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger that a verb was pointed at, and the verbs that look at one whole. */
#ifndef CLI_LEDGER_OPEN_H
#define CLI_LEDGER_OPEN_H

#include "aggregator/ledger/choice/choice.h"
#include "tools/cli/cli.h"

/* Opens the SQLite file `file`, or the ledger that the configuration at `config` names, of which just one is
 * given, for reading. An exit code of cli.h, with the reason told. */
int cli_ledger_open_reader(const char *verb, const char *file, const char *config, struct ledger *out);
/* The same for a ledger that is made now. */
int cli_ledger_open_new(const char *verb, const char *file, const char *config,
                        const struct ledger_birth *birth, struct ledger *out);

/* argv[0] is the word behind "ledger". */
int cli_ledger_fsck(int argc, char **argv);
int cli_ledger_export(int argc, char **argv);
int cli_ledger_rebuild(int argc, char **argv);

#endif
