/* plot_training.c - the curves of a training folder, from its metrics.jsonl.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/plot/plot_read.h"

#define MAX_METRICS ((size_t)1 << 30)

/* The numbers of metrics.jsonl to plot, and their panels. `marks` identifies the kind of line. */
static const struct curve {
    const char *panel, *name, *marks, *key;
    bool unit_y;
} curves[] = {
    {"loss", "training", "batch_trained", "loss", false},
    {"loss", "held out", "held_out_loss", "held_out_loss", false},
    {"training episodes that succeed", "reward", "groups", "reward", true},
    {"steps right (training noise)", "steps right", "groups", "steps_right", false},
    {"errors recovered", "recovered", "groups", "recovered", true},
    {"looks a step", "looks", "groups", "verify", false},
    {"false alarms, own slips (shares)", "false alarms", "groups", "false_alarm", false},
    {"false alarms, own slips (shares)", "own slips", "groups", "own_slips", false},
    {"calls a step", "calls", "groups", "calls_per_step", false},
    {"norm of the gradient", "norm", "grad_norm", "grad_norm", false},
    {"learning rate", "rate", "lr", "lr", false},
};

static struct plot_panel *update_panel(struct plot_set *set, const char *title, bool unit_y)
{
    struct plot_panel *panel = plot_panel(set, title);

    if (panel) {
        panel->unit_y = unit_y;
        (void)snprintf(panel->x_name, sizeof(panel->x_name), "update");
    }
    return panel;
}

/* The row of one environment. A mixed training has one for each task, with its own ceiling. */
static void add_validation(struct plot_set *set, double update, const char *task,
                           const struct json *row)
{
    struct plot_panel *panel = update_panel(set, "success on validation seeds", true);
    struct plot_series *s;
    char name[96];

    if (!panel)
        return;
    (void)snprintf(name, sizeof(name), "%s", task ? task : "success");
    plot_add_interval(plot_series(panel, name), update, jv_get_number(jv_get(row, "success"), NAN),
                      jv_get_number(jv_get(row, "success_low"), NAN),
                      jv_get_number(jv_get(row, "success_high"), NAN));
    (void)snprintf(name, sizeof(name), "%s%sceiling of never looking back", task ? task : "",
                   task ? ": " : "");
    s = jv_get(row, "ceiling") ? plot_series(panel, name) : NULL;
    if (!s)
        return;
    s->dashed = true;
    plot_add(s, update, jv_get_number(jv_get(row, "ceiling"), NAN));
}

static void add_line(struct plot_set *set, const struct json *line)
{
    double update = (double)jv_get_int(jv_get(line, "update"), 0);
    const char *task;
    struct json *row;

    if (jv_get(line, "success_low"))
        add_validation(set, update, NULL, line);
    for (void *it = NULL; (it = jv_next(jv_get(line, "tasks"), it, &task, &row));)
        if (jv_get(row, "success_low"))
            add_validation(set, update, task, row);
    for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
        const struct curve *c = &curves[i];
        double value = jv_get_number(jv_get(line, c->key), NAN);
        struct plot_panel *panel;

        if (!jv_get(line, c->marks) || isnan(value))
            continue;
        panel = update_panel(set, c->panel, c->unit_y);
        if (panel)
            plot_add(plot_series(panel, c->name), update, value);
    }
}

enum status plot_training(struct plot_set *set, const char *dir, struct log *log, struct error *err)
{
    struct str path = STR_INIT;
    struct error first = ERROR_INIT;
    char *text = NULL;
    size_t n = 0;
    int64_t n_lines = 0, n_bad = 0;
    enum status st;

    str_printf(&path, "%s/metrics.jsonl", dir);
    st = file_read(str_cstr(&path), MAX_METRICS, &text, &n, err);
    if (st == STATUS_NOT_FOUND)
        (void)error_set(err, st, "%s contains no training: there is no metrics.jsonl", dir);
    for (char *at = text, *end; !st && *at; at = end + (*end == '\n')) {
        struct json *line = NULL;
        struct error bad = ERROR_INIT;

        end = at + strcspn(at, "\n");
        n_lines++;
        if (!jv_parse_line(at, (size_t)(end - at), JSON_MAX_BYTES, str_cstr(&path), (long)n_lines,
                           &line, &bad))
            add_line(set, line);
        else if (*end && n_bad++ == 0) /* the last line may be incomplete */
            first = bad;
        jv_unref(line);
    }
    /* A line that another program cut does not spoil the others. */
    if (n_bad > 0 && n_bad == n_lines) {
        st = first.status = STATUS_CORRUPT;
        *err = first;
    } else if (n_bad > 0 && log) {
        log_write(log, LOG_WARN, "%s: %s; skipped %lld of %lld lines, which cannot be read",
                  first.where, first.message, (long long)n_bad, (long long)n_lines);
    }
    (void)snprintf(set->title, sizeof(set->title), "%s", dir);
    free(text);
    str_deinit(&path);
    return st;
}
