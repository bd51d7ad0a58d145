/* cmd_plot.c - plot: the curves of a training folder, or success against horizon of evaluations.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/app/app.h"
#include "runtime/app/plot.h"
#include "runtime/base/memory.h"
#include "runtime/store/query.h"

#define MAX_PANELS  16
#define MAX_METRICS ((size_t)1 << 30)
#define WIDTH       78
#define HEIGHT      9

/* Which numbers of metrics.jsonl are drawn, and where. Lines are told apart by `marks`. */
static const struct curve {
    const char *panel, *name, *marks, *key;
    bool unit_y;
} curves[] = {
    {"loss", "training", "batch_trained", "loss", false},
    {"loss", "held out", "held_out_loss", "held_out_loss", false},
    {"success on validation seeds", "success", "success_low", "success", true},
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

struct plotting {
    struct plot_panel panel[MAX_PANELS];
    int32_t n;
    char title[256];
};

static struct plot_panel *panel_of(struct plotting *p, const char *title)
{
    for (int32_t i = 0; i < p->n; i++)
        if (strcmp(p->panel[i].title, title) == 0)
            return &p->panel[i];
    if (p->n == MAX_PANELS)
        return NULL;
    (void)snprintf(p->panel[p->n].title, sizeof(p->panel[p->n].title), "%s", title);
    return &p->panel[p->n++];
}

/* ---- a training folder */

static void add_line(struct plotting *p, const struct json *line)
{
    double update = (double)jv_get_int(jv_get(line, "update"), 0);

    for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
        const struct curve *c = &curves[i];
        const struct json *value = jv_get(line, c->key);
        struct plot_panel *panel;
        struct plot_series *s;

        if (!jv_get(line, c->marks) || isnan(jv_get_number(value, NAN)))
            continue;
        panel = panel_of(p, c->panel);
        if (!panel)
            continue;
        panel->unit_y = c->unit_y;
        (void)snprintf(panel->x_name, sizeof(panel->x_name), "update");
        s = plot_series(panel, c->name);
        plot_add_interval(s, update, jv_get_number(value, NAN),
                          jv_get_number(jv_get(line, "success_low"), NAN),
                          jv_get_number(jv_get(line, "success_high"), NAN));
        if (jv_get(line, "ceiling") && strcmp(c->marks, "success_low") == 0) {
            s = plot_series(panel, "ceiling of never looking");
            s->dashed = true;
            plot_add(s, update, jv_get_number(jv_get(line, "ceiling"), NAN));
        }
    }
}

static enum status read_folder(struct plotting *p, const char *dir, struct error *err)
{
    struct str path = STR_INIT;
    char *text = NULL;
    size_t n = 0;
    int64_t n_lines = 0;
    enum status st;

    str_printf(&path, "%s/metrics.jsonl", dir);
    st = file_read(str_cstr(&path), MAX_METRICS, &text, &n, err);
    for (char *at = text, *end; !st && *at; at = end + (*end == '\n')) {
        struct json *line = NULL;
        struct error bad = ERROR_INIT;

        end = at + strcspn(at, "\n");
        if (jv_parse(at, (size_t)(end - at), str_cstr(&path), &line, &bad)) {
            if (*end == 0)
                break; /* it is being written */
            st = error_set(err, STATUS_CORRUPT, "%s:%lld: %s", str_cstr(&path),
                           (long long)n_lines + 1, bad.message);
        } else {
            add_line(p, line);
        }
        jv_unref(line);
        n_lines++;
    }
    (void)snprintf(p->title, sizeof(p->title), "%s", dir);
    free(text);
    str_deinit(&path);
    return st;
}

/* ---- evaluations */

struct reading {
    struct plotting *p;
    bool is_eval;
};

/* "folder trained" from a path, or the name as it is. */
static void name_of(const struct run_row *r, const struct json *row, char out[64])
{
    const char *model = jv_get_string(jv_get(r->config, "expert"), NULL), *base;
    double t = jv_get_number(jv_get(row, "temperature"), 0);

    if (!model)
        model = jv_get_string(jv_get(r->config, "model"), r->name);
    base = strlen(model) > 40 ? model + strlen(model) - 40 : model;
    (void)snprintf(out, 64, "%s%s, T=%g", r->config && jv_get(r->config, "expert") ? "script " : "",
                   base, t);
}

static bool add_run(void *ctx, const struct run_row *r)
{
    struct reading *reading = ctx;
    const struct json *rows = jv_get(r->output, "rows");
    struct plot_panel *panel;

    reading->is_eval = strcmp(r->kind, "eval") == 0 && jv_size(rows) > 0;
    for (size_t i = 0; reading->is_eval && i < jv_size(rows); i++) {
        const struct json *row = jv_at(rows, i);
        double h = jv_get_number(jv_get(row, "horizon"), NAN),
               p = jv_get_number(jv_get(row, "p"), NAN);
        struct plot_series *s;
        char text[96];

        (void)snprintf(text, sizeof(text), "%s: success against horizon, p=%g", r->name, p);
        panel = panel_of(reading->p, text);
        if (!panel)
            break;
        panel->unit_y = panel->log_x = true;
        (void)snprintf(panel->x_name, sizeof(panel->x_name), "steps");
        name_of(r, row, text);
        plot_add_interval(plot_series(panel, text), h, jv_get_number(jv_get(row, "success"), NAN),
                          jv_get_number(jv_get(row, "success_low"), NAN),
                          jv_get_number(jv_get(row, "success_high"), NAN));
        s = plot_series(panel, "ceiling of never looking");
        if (s && (s->n == 0 || s->x[s->n - 1] < h)) {
            s->dashed = true;
            plot_add(s, h, jv_get_number(jv_get(row, "ceiling"), NAN));
        }
    }
    return false;
}

static enum status read_run(struct plotting *p, struct app *a, const char *name, struct error *err)
{
    struct reading reading = {.p = p};
    struct store_reader *q = NULL;
    char uuid[37];
    enum status st = app_reader(a, &q, err);

    if (!st)
        st = query_resolve_run(q, name, uuid, err);
    if (!st)
        st = query_run(q, uuid, add_run, &reading, err);
    if (!st && !reading.is_eval)
        st = error_set(err, STATUS_USAGE,
                       "run %s is no finished evaluation; a training is drawn from its folder",
                       name);
    return st;
}

/* ---- the command */

static enum status write_svg(const struct app *a, const struct plotting *p, const char *file,
                             struct error *err)
{
    struct str svg = STR_INIT;
    size_t n = strlen(file);
    enum status st;

    if (n < 4 || strcmp(file + n - 4, ".svg") != 0)
        return error_set(err, STATUS_USAGE, "--out %s: only FILE.svg is written", file);
    plot_svg(p->panel, p->n, p->title, &svg);
    st = str_ok(&svg) ? file_write_atomic(a->seams, file, str_cstr(&svg), svg.len, err)
                      : error_set(err, STATUS_NO_MEMORY, "no memory for %s", file);
    str_deinit(&svg);
    return st;
}

static enum status read_all(struct plotting *p, struct app *a, struct error *err)
{
    enum status st = STATUS_OK;

    for (int32_t i = 0; i < options_n_args(a->options) && !st; i++) {
        const char *arg = options_arg(a->options, i);

        st = file_exists(arg) ? read_folder(p, arg, err) : read_run(p, a, arg, err);
    }
    for (int32_t i = 0, any = 0; i <= p->n && !st; i++) {
        any += i < p->n && !plot_is_empty(&p->panel[i]);
        if (i == p->n && !any)
            st = error_set(err, STATUS_NOT_FOUND, "there is nothing to draw yet");
    }
    return st;
}

static int plot_main(void *app)
{
    struct app *a = app;
    struct plotting *p = xcalloc(1, sizeof(*p));
    struct error err = ERROR_INIT;
    struct str out = STR_INIT;
    enum status st = read_all(p, a, &err);
    int code;

    if (!st && option_is_set(a->options, OPT_OUT)) {
        st = write_svg(a, p, option_text(a->options, OPT_OUT), &err);
        if (!st)
            log_write(a->log, LOG_INFO, "wrote %s", option_text(a->options, OPT_OUT));
    } else if (!st) {
        for (int32_t i = 0; i < p->n; i++)
            plot_text(&p->panel[i], WIDTH, HEIGHT, &out);
    }
    code = st ? app_fail(a, &err) : app_print(&out);
    str_deinit(&out);
    for (int32_t i = 0; i < p->n; i++)
        plot_panel_deinit(&p->panel[i]);
    free(p);
    return code;
}

static const enum option_id plot_options[] = {OPT_OUT, OPT_END};
const struct command_spec cmd_plot = {
    "plot",
    "look",
    "DIR|RUN...",
    "curves of a training, or success against horizon of evaluations",
    "A folder that `train` wrote is drawn from its metrics.jsonl, also while it grows. Evaluations "
    "(by id, as `runs` shows\nthem) are drawn together: success with its interval and the ceiling "
    "of never looking. --out FILE.svg writes a picture.",
    plot_options,
    1,
    8,
    plot_main};
