/* repair_rows.c - see repair_rows.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/repair_rows.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/store/path.h"

static void free_row(void *p)
{
    struct repair_row *row = p;

    step_record_deinit(&row->rec);
    free(row->kind);
    free(row);
}

void repair_rows_free(struct map *rows)
{
    if (rows)
        map_free(rows, free_row);
}

/* A turn, a model call or a tool call of an agent (names of steps have no ':'), or the late result
 * of a call that was given up. */
static bool is_within_step(const struct step_row *s)
{
    return strchr(path_last(s->path), ':') || strcmp(s->kind, "late") == 0;
}

static bool take(void *ctx, const struct step_row *s)
{
    struct map *rows = ctx;
    struct repair_row *row;

    if (is_within_step(s))
        return true;
    row = map_get(rows, s->path);
    if (row && row->rec.attempt > s->attempt)
        return true;
    if (!row) {
        row = xcalloc(1, sizeof(*row));
        map_put(rows, s->path, row);
    }
    step_record_deinit(&row->rec);
    free(row->kind);
    row->kind = xstrdup(s->kind);
    row->rec = (struct step_record){.attempt = s->attempt,
                                    .tries = s->tries,
                                    .state = s->state,
                                    .effect = s->effect,
                                    .out = s->out ? jv_deep_copy(s->out) : NULL,
                                    .err = s->err ? xstrdup(s->err) : NULL,
                                    .t0_ms = s->t0_ms,
                                    .t1_ms = s->t1_ms};
    if (s->in_hash)
        memcpy(row->rec.in_hash, s->in_hash, sizeof(row->rec.in_hash));
    return true;
}

enum status repair_rows_load(struct store_reader *q, const char *uuid, struct map **out,
                             struct error *err)
{
    struct map *rows = map_new();
    enum status st = query_steps(q, uuid, NULL, -1, false, take, rows, err);

    if (st) {
        repair_rows_free(rows);
        return st;
    }
    *out = rows;
    return STATUS_OK;
}
