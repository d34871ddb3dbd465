/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/status.h"

const char *hr_code_name(enum hr_code code)
{
    switch (code) {
    case HR_OK:
        return "ok";
    case HR_AGAIN:
        return "again";
    case HR_FULL:
        return "full";
    case HR_MALFORMED:
        return "malformed";
    case HR_CORRUPT:
        return "corrupt";
    case HR_DENIED:
        return "denied";
    case HR_IO:
        return "io";
    case HR_NOT_FOUND:
        return "not_found";
    case HR_CLOSED:
        return "closed";
    }
    return "unknown";
}
