/* model.c - names for what model.h enumerates.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/model.h"

const char *model_finish_name(enum model_finish f)
{
    switch (f) {
    case FINISH_NONE:
        return "none";
    case FINISH_STOP:
        return "stop";
    case FINISH_LENGTH:
        return "length";
    case FINISH_CANCELLED:
        return "cancelled";
    case FINISH_ERROR:
        return "error";
    }
    return "unknown";
}
