/* SPDX-License-Identifier: Apache-2.0
 *
 * The file of trust bundles that devices fetch (`trust_bundle:`), as `headrace ca bundle` writes it: versions
 * from 1 on, one behind another. It is looked at again each second. What is in it is checked here too, so
 * that a version that still wants signatures is not handed out; a file that is damaged changes nothing. */
#ifndef APP_TRUST_H
#define APP_TRUST_H

#include "aggregator/io/source.h"
#include "proto/base/status.h"

struct app_trust;

/* HR_IO: told in the log. `path` is kept. */
HR_MUST_USE struct hr_status app_trust_open(const char *path, struct app_trust **out);
/* Looks whether the file has changed, at most once a second. [io thread] */
void app_trust_follow(struct app_trust *trust);
/* For source_coap_config.trust; lives as long as it does. */
const struct source_trust *app_trust_source(struct app_trust *trust);
/* NULL is fine. */
void app_trust_close(struct app_trust *trust);

#endif
