/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/authority.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TYPED_CHARS = 16 };

bool cli_authority_replace_is_meant(int *argc, char **argv)
{
    const char *directory = NULL;
    bool is_forced = false, is_dry = false, is_said = false;
    int n = 0;
    for (int i = 0; i < *argc; i++) {
        const bool is_yes = strcmp(argv[i], "--yes") == 0;
        directory = strcmp(argv[i], "--dir") == 0 && i + 1 < *argc ? argv[i + 1] : directory;
        is_forced = is_forced || strcmp(argv[i], "--force") == 0;
        is_dry = is_dry || strcmp(argv[i], "--dry-run") == 0;
        is_said = is_said || is_yes;
        argv[n] = argv[i];
        n += is_yes ? 0 : 1;
    }
    *argc = n;
    argv[n] = NULL;
    struct cli_path root;
    if (!is_forced || is_dry || is_said || directory == NULL ||
        !hr_is_ok(cli_path_of(&root, directory, "root.crt")) || access(root.text, F_OK) != 0) {
        return true;
    }
    char typed[TYPED_CHARS] = "";
    (void)fprintf(
        stderr,
        "headrace ca init: %s is an authority; all that it signed is worthless without it, and it can't "
        "be had back%s",
        directory, isatty(STDIN_FILENO) ? ". Type \"replace\": " : ": say --yes\n");
    const bool is_typed = isatty(STDIN_FILENO) && fgets(typed, sizeof typed, stdin) != NULL;
    return is_typed && strcmp(typed, "replace\n") == 0;
}
