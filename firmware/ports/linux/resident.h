/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_LINUX_RESIDENT_H
#define PORT_LINUX_RESIDENT_H

#include <stdint.h>

/* Takes pages of code and constants that nobody has changed out of this process's memory; the kernel brings
 * those that are used again back from their files (man 2 madvise, MADV_DONTNEED). A library's loading touches
 * far more of it and of what it depends on than its use does. Takes some milliseconds. Returns how many
 * kilobytes were resident in what was given back; 0: the kernel does not tell what is there, nothing changed.
 * To be called while there is no other thread. [loop] */
uint64_t port_linux_give_back_code(void);

#endif
