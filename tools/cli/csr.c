/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/csr.h"

#include "tools/cli/enrol.h"

#include <inttypes.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

enum { SUBJECT_CHARS = 128 };

static struct hr_status look_at(X509_REQ *request, const char *serial, struct cli_csr *out)
{
    char subject[SUBJECT_CHARS] = "";
    EVP_PKEY *key = X509_REQ_get_pubkey(request);
    if (key == NULL || X509_REQ_verify(request, key) != 1 || !hr_is_ok(cli_key_spki(key, out->spki))) {
        (void)fputs(
            "headrace: the device's certification request is not signed by the key in it, so nothing was "
            "signed: say it again, and send the device back when it stays so\n",
            stderr);
        ERR_clear_error();
        EVP_PKEY_free(key);
        return hr_status_of(HR_MALFORMED);
    }
    (void)X509_NAME_get_text_by_NID(X509_REQ_get_subject_name(request), NID_commonName, subject,
                                    sizeof subject);
    if (strcmp(subject, serial) != 0) {
        (void)fprintf(stderr,
                      "headrace: the certification request is of %s, not of %s: is the right device on this "
                      "port? nothing was signed\n",
                      subject, serial);
        EVP_PKEY_free(key);
        return hr_status_of(HR_DENIED);
    }
    out->key = key;
    return hr_ok();
}

struct hr_status cli_csr_read(struct hr_bytes der, const char *serial, struct cli_csr *out)
{
    const unsigned char *at = der.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der.len_bytes);
    if (request == NULL || at != der.data + der.len_bytes) {
        (void)fputs(
            "headrace: the device's certification request can't be read, so nothing was signed: look at the "
            "cable, and say it again\n",
            stderr);
        ERR_clear_error();
        X509_REQ_free(request);
        return hr_status_of(HR_MALFORMED);
    }
    struct hr_status status = look_at(request, serial, out);
    X509_REQ_free(request);
    return status;
}

struct hr_status cli_csr_certify(const char *directory, const struct cli_csr *csr, uint64_t device_id,
                                 struct cli_der *out)
{
    char common_name[CLI_DEVICE_NAME_CHARS];
    X509 *certificate = NULL;
    const struct cli_certificate wanted = {.role = CLI_ROLE_DEVICE,
                                           .common_name = cli_device_common_name(device_id, common_name),
                                           .days = CLI_DEVICE_DAYS};
    HR_TRY(cli_authority_sign(directory, CLI_ISSUER_DEVICES, &wanted, csr->key, &certificate));
    struct hr_status status = cli_certificate_der(certificate, out);
    X509_free(certificate);
    return status;
}
