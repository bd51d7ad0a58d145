/* repair_rows.h - the recorded steps of a run, by path; for repair.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_REPAIR_ROWS_H
#define TROUPE_BLUEPRINTS_REPAIR_ROWS_H

#include "runtime/base/map.h"
#include "runtime/store/query.h"

struct repair_row {
    struct step_record rec; /* of the latest attempt */
    char *kind;
    bool seen; /* the comparison reached it */
};

/* path -> struct repair_row *, in the order of the first intents; the steps of agents are
 * left out. */
MUST_CHECK enum status repair_rows_load(struct store_reader *q, const char *uuid, struct map **out,
                                        struct error *err);
void repair_rows_free(struct map *rows);

#endif
