/* SPDX-License-Identifier: Apache-2.0
 *
 * What libmicrohttpd is given for mutual TLS: the files, as text that it keeps for as long as it runs. */
#ifndef HTTP_TLS_H
#define HTTP_TLS_H

#include "aggregator/http/http.h"

#include <microhttpd.h>

enum { HTTP_TLS_OPTIONS = 5 };

struct http_material;

/* HR_IO: a file can't be read, or is none of PEM; `why` tells which. */
HR_MUST_USE struct hr_status http_material_read(const struct http_tls *tls, struct http_material **out,
                                                char *why, size_t why_capacity);
/* Options that borrow the material. */
void http_material_options(struct http_material *material, struct MHD_OptionItem out[HTTP_TLS_OPTIONS]);
/* Wipes and frees; NULL is fine. */
void http_material_free(struct http_material *material);

#endif
