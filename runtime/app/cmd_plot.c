/* cmd_plot.c - plot: the curves of a training folder, or success against horizon of evaluations.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/app/app.h"
#include "runtime/base/memory.h"
#include "runtime/plot/plot_read.h"
#include "runtime/plot/plot_scene.h"
#include "runtime/store/query.h"

#define WIDTH  78
#define HEIGHT 9

static bool ends_in(const char *text, const char *ending)
{
    size_t n = strlen(text), k = strlen(ending);

    return n > k && strcmp(text + n - k, ending) == 0;
}

static enum status write_picture(const struct app *a, const struct plot_set *set, const char *file,
                                 struct error *err)
{
    bool svg = ends_in(file, ".svg");
    struct plot_scene scene = {0};
    struct str out = STR_INIT;
    enum status st = STATUS_OK;

    if (!svg && !ends_in(file, ".png"))
        return error_set(err, STATUS_USAGE, "--out %s: expected FILE.svg or FILE.png", file);
    plot_layout(set, &scene);
    if (svg)
        plot_svg(&scene, &out);
    else
        st = plot_png(&scene, &out, err);
    if (!st && (!str_ok(&out) || scene.text.failed))
        st = error_set(err, STATUS_NO_MEMORY, "no memory for %s", file);
    if (!st)
        st = file_write_atomic(a->seams, file, str_cstr(&out), out.len, err);
    plot_scene_deinit(&scene);
    str_deinit(&out);
    return st;
}

struct reading {
    struct plot_horizons *horizons;
    bool is_eval;
    enum status status;
    struct error *err;
};

static bool read_run(void *ctx, const struct run_row *r)
{
    struct reading *to = ctx;
    const struct plot_evaluation e = {
        .name = r->name, .config = r->config, .rows = jv_get(r->output, "rows")};

    /* The evaluation of a blueprint has no horizon. */
    to->is_eval = strcmp(r->kind, "eval") == 0 && jv_get(r->config, "env") && jv_size(e.rows) > 0;
    if (to->is_eval)
        to->status = plot_horizons_add(to->horizons, &e, to->err);
    return false;
}

static enum status add_run(struct plot_horizons *horizons, struct store_reader *q, const char *run,
                           struct error *err)
{
    struct reading to = {.horizons = horizons, .err = err};
    char uuid[37];
    enum status st = query_resolve_run(q, run, uuid, err);

    if (!st)
        st = query_run(q, uuid, read_run, &to, err);
    if (st || to.status)
        return st ? st : to.status;
    return to.is_eval ? STATUS_OK
                      : error_set(err, STATUS_USAGE,
                                  "run %s is not a finished evaluation; to plot a training, give "
                                  "its folder",
                                  run);
}

static enum status read_all(struct plot_set *set, struct app *a, struct error *err)
{
    struct plot_horizons *horizons = plot_horizons_new(set);
    struct store_reader *q = NULL;
    enum status st = STATUS_OK;

    for (int32_t i = 0; i < options_n_args(a->options) && !st; i++) {
        const char *arg = options_arg(a->options, i);

        if (file_exists(arg)) {
            st = plot_training(set, arg, a->log, err);
            continue;
        }
        st = app_reader(a, &q, err);
        if (!st)
            st = add_run(horizons, q, arg, err);
    }
    plot_horizons_end(horizons);
    for (int32_t i = 0, any = 0; i <= set->n && !st; i++) {
        any += i < set->n && !plot_is_empty(&set->panel[i]);
        if (i == set->n && !any)
            st = error_set(err, STATUS_NOT_FOUND, "nothing to plot yet");
    }
    return st;
}

static int plot_main(void *app)
{
    struct app *a = app;
    struct plot_set *set = xcalloc(1, sizeof(*set));
    struct error err = ERROR_INIT;
    struct str out = STR_INIT;
    enum status st = read_all(set, a, &err);
    int code;

    if (!st && option_is_set(a->options, OPT_OUT)) {
        st = write_picture(a, set, option_text(a->options, OPT_OUT), &err);
        if (!st)
            log_write(a->log, LOG_INFO, "wrote %s", option_text(a->options, OPT_OUT));
    } else if (!st) {
        for (int32_t i = 0; i < set->n; i++)
            plot_text(&set->panel[i], WIDTH, HEIGHT, &out);
    }
    code = st ? app_fail(a, &err) : app_print(&out);
    str_deinit(&out);
    plot_set_deinit(set);
    free(set);
    return code;
}

static const enum option_id plot_options[] = {OPT_OUT, OPT_END};
const struct command_spec cmd_plot = {
    "plot",
    "learn",
    "DIR|RUN...",
    "plot the curves of a training, or success against horizon of evaluations",
    "DIR is a folder that `train` wrote: its metrics.jsonl is plotted, also while the training "
    "runs. Evaluations (by\nid, as `runs` shows them) are plotted together: one success curve for "
    "each model, with its interval, and the ceiling\nfor a policy that never looks back. --out "
    "writes a picture (FILE.svg or FILE.png) instead of text.",
    plot_options,
    1,
    32,
    plot_main};
