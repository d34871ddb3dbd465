/* SPDX-License-Identifier: Apache-2.0
 *
 * A device's certification request, looked at before anything is signed, and the certificate for it. Failures
 * are told on stderr. */
#ifndef CLI_CSR_H
#define CLI_CSR_H

#include "tools/cli/authority.h"

struct cli_csr {
    EVP_PKEY *key; /* owned: free with EVP_PKEY_free */
    uint8_t spki[CLI_SPKI_BYTES];
};

/* HR_MALFORMED: no request, or one that the key in it did not sign. HR_DENIED: of another serial. */
HR_MUST_USE struct hr_status cli_csr_read(struct hr_bytes der, const char *serial, struct cli_csr *out);

/* A device's certificate for the key, by the authority in the directory; its passphrase may be asked for. */
HR_MUST_USE struct hr_status cli_csr_certify(const char *directory, const struct cli_csr *csr,
                                             uint64_t device_id, struct cli_der *out);

#endif
