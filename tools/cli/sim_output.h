/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a simulator's lines go. Lines are collected and leave when the room for a packet is used up or at a
 * flush. */
#ifndef CLI_SIM_OUTPUT_H
#define CLI_SIM_OUTPUT_H

#include "proto/base/status.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLI_SIM_CLIENTS = 8, CLI_SIM_BUFFER_BYTES = 16384, CLI_SIM_DATAGRAM_BYTES = 1400 };

enum cli_sim_kind { CLI_SIM_STDOUT, CLI_SIM_TCP, CLI_SIM_TCP_LISTEN, CLI_SIM_UDP };

struct cli_sim_output {
    enum cli_sim_kind kind;
    char host[256];
    char port[8];
    const volatile sig_atomic_t *stop; /* set: give up waiting */
    int listener;                      /* -1: none */
    int peer[CLI_SIM_CLIENTS];         /* -1: none; [0] is the only one unless listening */
    uint64_t reconnects;               /* times that a peer was lost after it was there */
    size_t len_bytes;
    char buffer[CLI_SIM_BUFFER_BYTES];
};

/* Reads "-", tcp://HOST:PORT, tcp-listen://[HOST]:PORT or udp://HOST:PORT (an IPv6 address in brackets).
 * False: it is none of them. */
bool cli_sim_output_parse(struct cli_sim_output *output, const char *text);

/* Opens it; `stop` is kept. TCP: waits until the peer is there or someone connects. HR_IO: it can't be
 * opened, and stderr says why. HR_CLOSED: *stop was set first. */
HR_MUST_USE struct hr_status cli_sim_output_open(struct cli_sim_output *output,
                                                 const volatile sig_atomic_t *stop);

/* Takes one line. May block while the peer doesn't read. A TCP peer that goes away is waited for, and then
 * gets what was not handed over whole to the one before; lines that were on the way to it are lost, as on any
 * such line. HR_IO and HR_CLOSED as above. */
HR_MUST_USE struct hr_status cli_sim_output_line(struct cli_sim_output *output, const char *line,
                                                 size_t len_bytes);

/* Sends what was collected. As cli_sim_output_line. */
HR_MUST_USE struct hr_status cli_sim_output_flush(struct cli_sim_output *output);

/* Closes everything; what was not flushed is dropped. */
void cli_sim_output_close(struct cli_sim_output *output);

#endif
