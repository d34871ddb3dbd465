/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/http/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PEM_MAX_BYTES = 32768 };

static char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

struct http_material {
    char certificate[PEM_MAX_BYTES];
    char key[PEM_MAX_BYTES];
    char operator_ca[PEM_MAX_BYTES];
};

static struct hr_status read_pem(const char *path, char out[PEM_MAX_BYTES], char *why, size_t why_capacity)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        (void)snprintf(why, why_capacity, "%s: %s", path, strerror(errno));
        return hr_status_of(HR_IO);
    }
    size_t len = fread(out, 1, PEM_MAX_BYTES, file);
    bool is_whole = ferror(file) == 0 && len < PEM_MAX_BYTES;
    (void)fclose(file);
    out[is_whole ? len : 0] = '\0';
    if (strstr(out, "-----BEGIN ") == NULL) {
        (void)snprintf(why, why_capacity, "%s: not PEM, or longer than 32 KB", path);
        return hr_status_of(HR_IO);
    }
    return hr_ok();
}

static struct hr_status read_all(const struct http_tls *tls, struct http_material *out, char *why,
                                 size_t why_capacity)
{
    HR_TRY(read_pem(tls->certificate, out->certificate, why, why_capacity));
    HR_TRY(read_pem(tls->key, out->key, why, why_capacity));
    return read_pem(tls->operator_ca, out->operator_ca, why, why_capacity);
}

struct hr_status http_material_read(const struct http_tls *tls, struct http_material **out, char *why,
                                    size_t why_capacity)
{
    struct http_material *material = calloc(1, sizeof *material);
    if (material == NULL) {
        (void)snprintf(why, why_capacity, "no memory");
        return hr_status_of(HR_IO);
    }
    struct hr_status status = read_all(tls, material, why, why_capacity);
    if (!hr_is_ok(status)) {
        http_material_free(material);
        return status;
    }
    *out = material;
    return hr_ok();
}

void http_material_options(struct http_material *material, struct MHD_OptionItem out[HTTP_TLS_OPTIONS])
{
    out[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, material->certificate};
    out[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, material->key};
    out[2] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, material->operator_ca};
    out[3] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, priorities};
    out[4] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
}

void http_material_free(struct http_material *material)
{
    if (material != NULL) {
        explicit_bzero(material->key, sizeof material->key);
    }
    free(material);
}
