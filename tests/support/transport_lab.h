/* SPDX-License-Identifier: Apache-2.0
 *
 * A device whose transport key stands in an identity store, on flash in RAM, with the real issuer of an
 * aggregator before it: what a test does to it is what the uplink and the network would do. */
#ifndef TRANSPORT_LAB_H
#define TRANSPORT_LAB_H

#include "aggregator/renew/renew.h"
#include "firmware/app/transport_store.h"
#include "firmware/ports/sim/flash_sim.h"
#include "tests/support/openssl_tool.h"

enum { TRANSPORT_LAB_DEVICE = 7, TRANSPORT_LAB_DAYS = 300 };

struct transport_lab {
    struct pki_folder folder;
    struct renew_issuer *issuer;
    struct sim_flash flash;
    uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
    uint8_t room[APP_TRANSPORT_ROOM_BYTES];
    struct fw_identity_store store;
    struct app_transport transport;
    struct port_net_events events; /* of the transport, to be called by the test */
    struct port_clock clock;
    struct port_log log;
    uint64_t now_ms;
    uint64_t now_s; /* of the aggregator: when the first certificate was made */
    bool is_asked;
    uint32_t n_ups;
    uint32_t n_downs;
    /* The certificate that was issued last, and the one that the identity began with. */
    uint8_t issued[IMAGE_CERTIFICATE_MAX_BYTES];
    size_t issued_bytes;
    uint8_t first[IMAGE_CERTIFICATE_MAX_BYTES];
    size_t first_bytes;
};

void transport_lab_open(struct transport_lab *lab);
void transport_lab_close(struct transport_lab *lab);

/* Power returns, and the device starts: the store is opened and settled. */
void transport_lab_boot(struct transport_lab *lab);

/* Asks for a request until there is one, or something fails. */
struct hr_status transport_lab_request(struct transport_lab *lab, struct hr_bytes *request);
/* Issues a certificate for what was asked: for the device, or for another name. */
void transport_lab_issue(struct transport_lab *lab, struct hr_bytes request, const char *common_name);
/* Both, and has the device take it. */
struct hr_status transport_lab_renew(struct transport_lab *lab);

/* Opens a session: asserts that key and certificate belong together and are one of those that were issued.
 * Gives the key's SHA-256. */
void transport_lab_choose(struct transport_lab *lab, uint8_t spki_sha256[WIRE_DIGEST_BYTES]);

#endif
