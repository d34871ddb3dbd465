/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HR_WIPE_H
#define HR_WIPE_H

#include <stddef.h>

/* Zeros a secret that nobody reads any more. Unlike a memset before the end of a variable's life, which a
 * compiler may leave out, the stores are made. [any] */
void hr_wipe(void *secret, size_t len_bytes);

#endif
