/* eval_text.c - see eval_text.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/eval_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/app/table.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"

#define CELL 96

/* NaN is a share of nothing. */
static void put_share(char cell[CELL], int digits, double share)
{
    if (isnan(share))
        snprintf(cell, CELL, "-");
    else
        snprintf(cell, CELL, "%.*f", digits, share);
}

static void put_rows(const struct eval_row *rows, int32_t n, struct str *out)
{
    enum { COLUMNS = 14 };
    static const char *const columns[COLUMNS] = {
        ">H",         ">p",          ">T",          ">episodes",  ">success",
        "95 %",       ">ceiling",    ">step acc.",  ">recovered", ">detected",
        ">false al.", ">self-cond.", ">calls/step", ">tokens/s"};
    struct table *t = table_new(columns, COLUMNS);

    for (int32_t i = 0; i < n; i++) {
        const struct eval_row *r = &rows[i];
        char cell[COLUMNS][CELL];
        const char *cells[COLUMNS];

        snprintf(cell[0], CELL, "%d", r->spec.horizon);
        snprintf(cell[1], CELL, "%g", r->spec.noise);
        snprintf(cell[2], CELL, "%g", (double)r->spec.temperature);
        snprintf(cell[3], CELL, "%lld", (long long)r->n);
        put_share(cell[4], 3, r->success);
        snprintf(cell[5], CELL, "%.3f-%.3f", r->success_low, r->success_high);
        snprintf(cell[6], CELL, "%.3f", r->ceiling);
        put_share(cell[7], 4, r->step_accuracy);
        put_share(cell[8], 3, r->recovered);
        put_share(cell[9], 3, r->detection);
        put_share(cell[10], 4, r->false_alarm);
        put_share(cell[11], 3, r->self_conditioning);
        put_share(cell[12], 2, r->calls_per_step);
        snprintf(cell[13], CELL, "%.0f", r->tokens_per_s);
        for (int k = 0; k < COLUMNS; k++)
            cells[k] = cell[k];
        table_row(t, cells);
    }
    table_write(t, out);
    table_free(t);
}

/* ---- horizons */

/* A number of steps with three digits; beyond any real run: "> 1e9". */
static void put_steps(double h, char *out, size_t n)
{
    double unit = pow(10, floor(log10(h)) - 2);

    if (!isfinite(h) || h > 1e9)
        snprintf(out, n, "> 1e9");
    else
        snprintf(out, n, "%.10g", h >= 1000 ? round(h) : round(h / unit) * unit);
}

/* "69.1 (61.0-78.2)"; with a star outside the range of the rows. */
static void put_horizon(const struct horizon_fit *f, const struct horizon_curve *c, int k,
                        char cell[CELL])
{
    char at[24], low[24], high[24];
    const char *star = c->at[k] < f->least || c->at[k] > f->most ? "*" : "";

    put_steps(c->at[k], at, sizeof(at));
    put_steps(c->low[k], low, sizeof(low));
    put_steps(c->high[k], high, sizeof(high));
    if (isnan(c->low[k]))
        snprintf(cell, CELL, "%s%s (open)", at, star);
    else
        snprintf(cell, CELL, "%s%s (%s-%s)", at, star, low, high);
}

/* Without a fit: the measured horizons around it. */
static void put_bracket(const struct horizon_fit *f, int k, char cell[CELL])
{
    if (f->passed[k] > 0 && f->missed[k] > 0)
        snprintf(cell, CELL, "%g to %g", f->passed[k], f->missed[k]);
    else if (f->passed[k] > 0)
        snprintf(cell, CELL, "above %g", f->passed[k]);
    else if (f->missed[k] > 0)
        snprintf(cell, CELL, "below %g", f->missed[k]);
    else
        snprintf(cell, CELL, "-");
}

static void put_curve(struct table *t, const struct eval_horizons *h, const char *name,
                      const struct horizon_curve *c)
{
    char temperature[CELL], cell[HORIZON_SHARES][CELL], slope[CELL] = "";

    snprintf(temperature, CELL, "%g", (double)h->temperature);
    for (int k = 0; k < HORIZON_SHARES; k++)
        if (c)
            put_horizon(&h->fit, c, k, cell[k]);
        else
            put_bracket(&h->fit, k, cell[k]);
    if (c)
        snprintf(slope, CELL, "%s %.2f (%.2f-%.2f)", c == &h->fit.weibull ? "k" : "slope", c->slope,
                 c->slope_low, c->slope_high);
    const char *cells[] = {temperature, name, cell[0], cell[1], cell[2], slope};
    table_row(t, cells);
}

static void put_horizons(const struct eval_row *rows, int32_t n, struct str *out)
{
    static const char *const columns[] = {">T", "horizons", "H50", "H80", "H95", "shape"};
    struct eval_horizons *h = xcalloc((size_t)n, sizeof(*h));
    struct table *t = table_new(columns, 6);
    int32_t count = eval_horizons(rows, n, h);

    for (int32_t i = 0; i < count; i++)
        if (h[i].fit.determined) {
            put_curve(t, &h[i], "logistic", &h[i].fit.logistic);
            put_curve(t, &h[i], "Weibull", &h[i].fit.weibull);
        } else {
            put_curve(t, &h[i], "as measured", NULL);
        }
    str_putc(out, '\n');
    table_write(t, out);
    for (int32_t i = 0; i < count; i++)
        if (!h[i].fit.determined)
            str_printf(out, "T = %g: no curve is fitted: %s\n", (double)h[i].temperature,
                       h[i].fit.why);
    table_free(t);
    free(h);
}

/* ---- all of it */

static struct json *document(const struct eval_options *o, const struct eval_row *rows,
                             const char *model, const char *faults, const char *uuid)
{
    struct json *doc = app_document("eval"), *list = jv_array();

    jv_set_string(doc, "env", o->env->name);
    jv_set_string(doc, "model", model);
    jv_set_string(doc, "run", uuid);
    jv_set_string(doc, "faults", faults);
    jv_set_int(doc, "vote", o->votes);
    jv_set_string(doc, "ablation", env_ablation_name(o->ablation));
    jv_set_adopt(doc, "seed", jv_int((int64_t)o->seed));
    for (int32_t i = 0; i < o->n_rows; i++)
        jv_append_adopt(list, eval_row_json(o, &rows[i]));
    jv_set_adopt(doc, "rows", list);
    jv_set_adopt(doc, "horizons", eval_horizons_json(rows, o->n_rows));
    return doc;
}

static void put_text(const struct eval_options *o, const struct eval_row *rows, const char *model,
                     const char *faults, const char *uuid, struct str *out)
{
    struct str episode = STR_INIT, word = STR_INIT;

    str_printf(out, "%s, %s%s", o->env->name, o->expert ? "script " : "model ",
               o->expert ? o->expert : model);
    if (o->faults)
        str_printf(out, ", faults %s", faults);
    if (o->votes > 1)
        str_printf(out, ", vote of %d", o->votes);
    if (o->ablation)
        str_printf(out, ", ablated: %s", env_ablation_name(o->ablation));
    str_printf(out, ", tasks %llu ...\n", (unsigned long long)o->seed);
    put_rows(rows, o->n_rows, out);
    put_horizons(rows, o->n_rows, out);
    str_printf(out, "\nceiling (never looking back): %s\n", o->env->ceiling_rule);
    if (o->profile == ENV_HARD)
        str_printf(out, "  profile hard: %s\n", ENV_HARD_CEILING_RULE);
    str_printf(&episode, "%s/row[0]/episode[0]", uuid);
    text_put_shell_word(str_cstr(&episode), &word);
    str_printf(
        out,
        "self-cond.: accuracy after a wrong step minus accuracy after a right step\n"
        "H50, H80, H95: steps at which success is 50, 80, 95 %% (95 %% interval); *: outside "
        "the rows\n"
        "recorded as %s: `troupe show %.36s`, `troupe show %s --tokens`\n",
        uuid, uuid, str_cstr(&word));
    str_deinit(&episode);
    str_deinit(&word);
}

int eval_print(struct app *a, const struct eval_options *o, const struct eval_row *rows,
               const char *model, const char *uuid, struct json *list)
{
    struct str out = STR_INIT, faults = STR_INIT;
    int code = EXIT_OK;

    env_faults_text(o->env, o->faults, &faults);
    if (!a->json) {
        put_text(o, rows, model, str_cstr(&faults), uuid, &out);
        code = app_print(&out);
    } else {
        struct json *doc = document(o, rows, model, str_cstr(&faults), uuid);

        if (list)
            jv_append_adopt(list, doc);
        else
            code = app_print_json(doc);
    }
    str_deinit(&faults);
    str_deinit(&out);
    return code;
}
