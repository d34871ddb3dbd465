/* SPDX-License-Identifier: Apache-2.0
 *
 * The openssl program as an independent hand: it makes keys and certificates for tests and checks what we
 * sign. */
#ifndef OPENSSL_TOOL_H
#define OPENSSL_TOOL_H

#include "proto/wire/batch.h"

#include <stdbool.h>
#include <stddef.h>

/* Runs openssl with the arguments up to NULL (the first is "openssl"), silently, and gives its exit code. */
int openssl_run(const char *const arguments[]);

/* PEM files of a folder of their own. Names end in .pem for certificates and .key for keys. */
struct pki_folder {
    char path[64];
};

void pki_folder_make(struct pki_folder *folder);
/* Removes the folder and all files in it. */
void pki_folder_remove(const struct pki_folder *folder);
/* The path of a file in it, in one of four static buffers used in turn. */
const char *pki_path(const struct pki_folder *folder, const char *file);

/* Makes <name>.pem and <name>.key of a self-signed authority. */
void pki_make_ca(const struct pki_folder *folder, const char *name);
/* Makes <name>.pem and <name>.key for a DNS name, signed by the authority <ca>; days may be negative:
 * expired. */
void pki_make_leaf(const struct pki_folder *folder, const char *ca, const char *name, const char *dns_name,
                   int days);

/* The DER bytes of a PEM file: a certificate, or a private key as SEC1. Returns how many. */
size_t pki_der(const char *path, bool is_key, uint8_t *out, size_t capacity_bytes);

/* Whether the openssl program takes the raw ES256 signature of the message by the key, a DER
 * SubjectPublicKeyInfo. */
bool openssl_verifies(const struct pki_folder *folder, struct hr_bytes spki, struct hr_bytes message,
                      const uint8_t signature[WIRE_SIGNATURE_BYTES]);

#endif
