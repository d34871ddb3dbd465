/* SPDX-License-Identifier: Apache-2.0 */
#ifndef APP_EXIT_H
#define APP_EXIT_H

/* How the program ends. */
enum app_exit {
    APP_EXIT_OK = 0,     /* asked to, and everything was put away */
    APP_EXIT_START = 1,  /* something could not be opened; the log says what */
    APP_EXIT_CONFIG = 2, /* the configuration has mistakes, all of them on stderr */
    APP_EXIT_USAGE = 3,
    APP_EXIT_LEDGER = 4, /* the outcome of a commit is unknown; the next start reads it back */
    /* Another process writes the ledger now. Whoever supervises must not start this one again by itself, or
     * the two take over from each other for ever. */
    APP_EXIT_TAKEN_OVER = 5,
};

#endif
