/* plot_horizon.c - success against horizon, from recorded evaluations.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/plot/plot_read.h"

#define MAX_CEILINGS  64
#define CEILING_STEPS 96 /* points of the curve */

/* Data for the ceiling and the note of a panel. */
struct rates {
    int32_t n;
    double h[MAX_CEILINGS], rate[MAX_CEILINGS]; /* -log(ceiling) / H, by rising H */
    int64_t least, most;                        /* episodes a point */
};

/* Rows with the same key are one curve. */
struct curve {
    char name[96];
    struct str identity;
};

struct plot_horizons {
    struct plot_set *set;
    struct rates rates[PLOT_MAX_PANELS];
    struct curve curve[PLOT_MAX_PANELS * PLOT_MAX_SERIES];
    int32_t n_curves;
};

struct plot_horizons *plot_horizons_new(struct plot_set *set)
{
    struct plot_horizons *h = xcalloc(1, sizeof(*h));

    h->set = set;
    return h;
}

/* ---- names */

/* "trained" of models/embedded/trained and of trained/model, which train writes. */
static void short_name(const char *model, char *out, size_t n)
{
    size_t end = strlen(model), from;

    while (end > 1 && model[end - 1] == '/')
        end--;
    if (end > 6 && strncmp(model + end - 6, "/model", 6) == 0)
        end -= 6;
    for (from = end; from > 0 && model[from - 1] != '/'; from--)
        continue;
    (void)snprintf(out, n, "%.*s", (int)(end - from), model + from);
}

static void put_name(const struct plot_evaluation *e, const struct json *row, struct str *out)
{
    const char *expert = jv_get_string(jv_get(e->config, "expert"), NULL);
    const char *ablation = jv_get_string(jv_get(e->config, "ablation"), "none");
    const char *profile = jv_get_string(jv_get(e->config, "profile"), "std");
    const char *faults = jv_get_string(jv_get(e->config, "faults"), NULL);
    double t = jv_get_number(jv_get(row, "temperature"), 0);
    char model[48];

    short_name(jv_get_string(jv_get(e->config, "model"), e->name), model, sizeof(model));
    if (expert)
        str_printf(out, "script %s", expert);
    else
        str_puts(out, model);
    if (!expert && t > 0)
        str_printf(out, ", T = %g", t);
    if (strcmp(ablation, "none") != 0)
        str_printf(out, ", ablated: %s", ablation);
    if (strcmp(profile, "std") != 0)
        str_printf(out, ", %s", profile);
    if (faults)
        str_printf(out, ", faults %s", faults);
}

static void put_identity(const struct plot_panel *panel, const struct plot_evaluation *e,
                         const struct json *row, struct str *out)
{
    static const char *const keys[] = {"expert",   "model_hash", "profile",
                                       "ablation", "faults",     "seed"};

    str_printf(out, "%s\n%g\n", panel->title, jv_get_number(jv_get(row, "temperature"), 0));
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct json *v = jv_get(e->config, keys[i]);

        str_printf(out, "%s\n%lld\n", jv_get_string(v, ""), (long long)jv_get_int(v, 0));
    }
}

static bool is_taken(const struct plot_horizons *h, const char *title, const char *name)
{
    size_t n = strlen(title);

    for (int32_t i = 0; i < h->n_curves; i++)
        if (strcmp(h->curve[i].name, name) == 0 &&
            strncmp(str_cstr(&h->curve[i].identity), title, n) == 0 &&
            str_cstr(&h->curve[i].identity)[n] == '\n')
            return true;
    return false;
}

/* The curve that this row belongs to; NULL when the panel is full. Others of the same name are
 * numbered. */
static struct plot_series *series_of(struct plot_horizons *h, struct plot_panel *panel,
                                     const struct plot_evaluation *e, const struct json *row)
{
    struct str identity = STR_INIT;
    struct str base = STR_INIT, name = STR_INIT;
    struct plot_series *s = NULL;

    put_identity(panel, e, row, &identity);
    for (int32_t i = 0; i < h->n_curves; i++)
        if (strcmp(str_cstr(&h->curve[i].identity), str_cstr(&identity)) == 0) {
            str_deinit(&identity);
            return plot_series(panel, h->curve[i].name);
        }
    put_name(e, row, &base);
    str_puts(&name, str_cstr(&base));
    for (int32_t k = 2; is_taken(h, panel->title, str_cstr(&name)); k++) {
        str_clear(&name);
        str_printf(&name, "%s (%d)", str_cstr(&base), k);
    }
    if (panel->n < PLOT_MAX_SERIES - 1) { /* the last place is for the ceiling */
        s = plot_series(panel, str_cstr(&name));
        (void)snprintf(h->curve[h->n_curves].name, sizeof(h->curve[0].name), "%s", s->name);
        h->curve[h->n_curves++].identity = identity;
        identity = STR_INIT;
    }
    str_deinit(&identity);
    str_deinit(&base);
    str_deinit(&name);
    return s;
}

/* ---- rows */

static bool has_point(const struct plot_series *s, double x)
{
    for (int32_t k = 0; k < s->n; k++)
        if (s->x[k] == x)
            return true;
    return false;
}

static void note_rate(struct rates *r, double h, double ceiling, int64_t episodes)
{
    int32_t at = 0;

    r->least = r->least == 0 || episodes < r->least ? episodes : r->least;
    r->most = episodes > r->most ? episodes : r->most;
    while (at < r->n && r->h[at] < h)
        at++;
    if (!(ceiling >= 0) || h < 1 || r->n == MAX_CEILINGS || (at < r->n && r->h[at] == h))
        return;
    for (int32_t i = r->n++; i > at; i--) {
        r->h[i] = r->h[i - 1];
        r->rate[i] = r->rate[i - 1];
    }
    r->h[at] = h;
    r->rate[at] = -log(fmax(ceiling, 1e-300)) / h;
}

static struct plot_panel *horizon_panel(struct plot_set *set, const char *env, double p)
{
    struct plot_panel *panel;
    char title[96];

    (void)snprintf(title, sizeof(title), "Success against horizon: %s, p = %g", env, p);
    panel = plot_panel(set, title);
    if (!panel)
        return NULL;
    panel->unit_y = panel->log_x = panel->bars = true;
    (void)snprintf(panel->x_name, sizeof(panel->x_name), "horizon H (steps)");
    return panel;
}

static enum status add_row(struct plot_horizons *h, const struct plot_evaluation *e,
                           const struct json *row, struct error *err)
{
    double horizon = jv_get_number(jv_get(row, "horizon"), NAN);
    double p = jv_get_number(jv_get(row, "p"), NAN);
    const char *env = jv_get_string(jv_get(e->config, "env"), e->name);
    struct plot_panel *panel = horizon_panel(h->set, env, p);
    struct plot_series *s = panel ? series_of(h, panel, e, row) : NULL;

    if (!s)
        return error_set(err, STATUS_LIMIT,
                         "a plot has at most %d panels of %d curves each; give fewer runs",
                         PLOT_MAX_PANELS, PLOT_MAX_SERIES - 1);
    if (has_point(s, horizon))
        return STATUS_OK; /* the same tasks again */
    plot_add_interval(s, horizon, jv_get_number(jv_get(row, "success"), NAN),
                      jv_get_number(jv_get(row, "success_low"), NAN),
                      jv_get_number(jv_get(row, "success_high"), NAN));
    note_rate(&h->rates[panel - h->set->panel], horizon, jv_get_number(jv_get(row, "ceiling"), NAN),
              jv_get_int(jv_get(row, "episodes"), 0));
    return STATUS_OK;
}

enum status plot_horizons_add(struct plot_horizons *h, const struct plot_evaluation *e,
                              struct error *err)
{
    enum status st = STATUS_OK;

    for (size_t i = 0; i < jv_size(e->rows) && !st; i++)
        st = add_row(h, e, jv_at(e->rows, i), err);
    return st;
}

/* ---- ceilings and notes */

/* Between measured horizons the rate of a step is linear in log H. If the rate is constant, as in
 * the ledger, the curve is exactly (1-p)^H. */
static double rate_at(const struct rates *r, double h)
{
    for (int32_t i = 0; i + 1 < r->n; i++)
        if (h < r->h[i + 1]) {
            double t = log(h / r->h[i]) / log(r->h[i + 1] / r->h[i]);

            return r->rate[i] + t * (r->rate[i + 1] - r->rate[i]);
        }
    return r->rate[r->n - 1];
}

static bool is_one_rate(const struct rates *r)
{
    for (int32_t i = 1; i < r->n; i++)
        if (fabs(r->rate[i] - r->rate[0]) > 1e-9)
            return false;
    return true;
}

static void put_ceiling(struct plot_panel *panel, const struct rates *r)
{
    struct plot_series *s;
    char name[96];

    if (r->n == 0)
        return;
    if (is_one_rate(r))
        (void)snprintf(name, sizeof(name), "ceiling of never looking back, %.4g^H",
                       exp(-r->rate[0]));
    else
        (void)snprintf(name, sizeof(name), "ceiling of never looking back");
    s = plot_series(panel, name);
    s->dashed = true;
    for (int32_t i = 0; i <= CEILING_STEPS; i++) {
        double h = i == CEILING_STEPS
                       ? r->h[r->n - 1]
                       : r->h[0] * pow(r->h[r->n - 1] / r->h[0], (double)i / CEILING_STEPS);

        if (i == 0 || h > s->x[s->n - 1])
            plot_add(s, h, exp(-rate_at(r, h) * h));
    }
}

void plot_horizons_end(struct plot_horizons *h)
{
    for (int32_t i = 0; i < h->set->n; i++) {
        struct plot_panel *panel = &h->set->panel[i];
        const struct rates *r = &h->rates[i];
        char episodes[48];

        if (r->most == 0)
            continue; /* of a training */
        if (r->least < r->most)
            (void)snprintf(episodes, sizeof(episodes), "%lld to %lld", (long long)r->least,
                           (long long)r->most);
        else
            (void)snprintf(episodes, sizeof(episodes), "%lld", (long long)r->most);
        (void)snprintf(panel->note, sizeof(panel->note),
                       "share of %s episodes that ended right; bars: 95 %% Wilson intervals",
                       episodes);
        put_ceiling(panel, r);
    }
    for (int32_t i = 0; i < h->n_curves; i++)
        str_deinit(&h->curve[i].identity);
    free(h);
}
