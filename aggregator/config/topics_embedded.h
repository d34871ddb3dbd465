/* SPDX-License-Identifier: Apache-2.0
 *
 * schemas/topics.yaml as of the build (embed.cmake makes the definition). Private to the room. */
#ifndef CONFIG_TOPICS_EMBEDDED_H
#define CONFIG_TOPICS_EMBEDDED_H

#include "proto/base/bytes.h"

struct hr_bytes config_topics_embedded(void);

#endif
