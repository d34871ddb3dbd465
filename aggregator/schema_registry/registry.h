/* SPDX-License-Identifier: Apache-2.0
 *
 * The Confluent Schema Registry, so that consumers find the schema of a value by the id in its framing. Asked
 * only at start and by `tail`, never per record. This part of the room owns libcurl. */
#ifndef SCHEMA_REGISTRY_H
#define SCHEMA_REGISTRY_H

#include "aggregator/schema_registry/schema.h"

struct schema_registry_config {
    const char *url;       /* "http://host:8081", no slash at the end; kept */
    const char *ca_file;   /* PEM for https; NULL: the system's; kept */
    const char *user_file; /* file with "user:password" on its first line; NULL: none; kept */
    uint32_t timeout_ms;   /* of one request, all in */
};

/* Registers the schema as the newest version of the subject "<topic>-value" (the registry answers with the id
 * it has when it knows it already) and sets the subject's compatibility to BACKWARD. HR_AGAIN: the registry
 * is away or answers 5xx. HR_DENIED: it refuses, such as 401 or 409 for a schema that is not compatible.
 * HR_MALFORMED: an answer that is not of a registry. The cause is written to `why`. Blocks up to twice
 * timeout_ms. */
HR_MUST_USE struct hr_status schema_registry_register(const struct schema_registry_config *config,
                                                      const char *topic, const char *schema_name,
                                                      uint32_t *schema_id, char why[SCHEMA_WHY_CHARS]);

/* Fetches the schema text of an id into out. HR_NOT_FOUND: the registry doesn't know it. HR_FULL: more than
 * capacity_bytes. Others as schema_registry_register. Blocks up to timeout_ms. */
HR_MUST_USE struct hr_status schema_registry_fetch(const struct schema_registry_config *config,
                                                   uint32_t schema_id, char *out, size_t capacity_bytes,
                                                   size_t *len_bytes, char why[SCHEMA_WHY_CHARS]);

/* The numbers of the versions of "<topic>-value", rising; what finds no room is left out, the oldest first.
 * HR_NOT_FOUND: the registry has no such subject. Others as schema_registry_register. Blocks up to
 * timeout_ms. */
HR_MUST_USE struct hr_status schema_registry_versions(const struct schema_registry_config *config,
                                                      const char *topic, uint32_t *versions, size_t capacity,
                                                      size_t *n_versions, char why[SCHEMA_WHY_CHARS]);

/* Fetches the schema text of one version of "<topic>-value". As schema_registry_fetch. */
HR_MUST_USE struct hr_status schema_registry_version(const struct schema_registry_config *config,
                                                     const char *topic, uint32_t version, char *out,
                                                     size_t capacity_bytes, size_t *len_bytes,
                                                     char why[SCHEMA_WHY_CHARS]);

#endif
