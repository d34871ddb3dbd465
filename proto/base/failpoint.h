/* SPDX-License-Identifier: Apache-2.0
 *
 * Named places at which a test may kill the process. Only builds with HEADRACE_FAULTS hold them; in a release
 * the macro is nothing. tests/support/failpoint.c answers: HEADRACE_FAILPOINT=name:k sends SIGKILL to the
 * process when it passes the place of that name for the k-th time (k from 1). */
#ifndef HR_FAILPOINT_H
#define HR_FAILPOINT_H

#if HR_FAULTS
void hr_failpoint(const char *name);
#define HR_FAILPOINT(name) hr_failpoint(name)
#else
#define HR_FAILPOINT(name) ((void)0)
#endif

#endif
