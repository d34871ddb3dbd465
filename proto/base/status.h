/* SPDX-License-Identifier: Apache-2.0
 *
 * The one status type of Headrace. A struct, so that a count can't be returned where a status was meant, and
 * a compiler warning for whoever drops it. Codes say what the caller can do, never which library call failed:
 * the cause is logged once, in the room that owns the library. */
#ifndef HR_STATUS_H
#define HR_STATUS_H

#include <stdbool.h>

enum hr_code {
    HR_OK = 0,
    HR_AGAIN,     /* not now; the same call may succeed later, nothing changed */
    HR_FULL,      /* a declared capacity is used up; nothing changed */
    HR_MALFORMED, /* the bytes given break their format; nothing was taken from them */
    HR_CORRUPT,   /* bytes of our own storage fail their check */
    HR_DENIED,    /* a signature, key, certificate or policy says no */
    HR_IO,        /* the device, file, socket or database failed; the header says what state it leaves */
    HR_NOT_FOUND, /* the thing asked for is not there */
    HR_CLOSED,    /* the other side or the end of input; no more will come */
};

struct hr_status {
    enum hr_code code;
};

#define HR_MUST_USE __attribute__((warn_unused_result))

static inline HR_MUST_USE struct hr_status hr_status_of(enum hr_code code)
{
    return (struct hr_status){code};
}

static inline HR_MUST_USE struct hr_status hr_ok(void)
{
    return (struct hr_status){HR_OK};
}

static inline bool hr_is_ok(struct hr_status status)
{
    return status.code == HR_OK;
}

static inline bool hr_is(struct hr_status status, enum hr_code code)
{
    return status.code == code;
}

/* Drops a status on purpose. The line above the call says why that is right. */
static inline void hr_ignore(struct hr_status status)
{
    (void)status;
}

/* Hands a failure on to the caller. */
#define HR_TRY(call)                                                                                         \
    do {                                                                                                     \
        struct hr_status hr_try_status_ = (call);                                                            \
        if (hr_try_status_.code != HR_OK) {                                                                  \
            return hr_try_status_;                                                                           \
        }                                                                                                    \
    } while (0)

/* A short English name for logs, such as "corrupt". Never NULL; static storage. */
const char *hr_code_name(enum hr_code code);

#endif
