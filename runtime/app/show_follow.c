/* show_follow.c - show --follow: prints each step when it begins and again when it ends.
 *
 * Steps are numbered in the order in which they begin, so the new ones have higher numbers than the
 * last one printed. Open steps are read again: during the run only those in a window before the
 * newest one (a map of 100,000 steps must not be read at every look), at the end all of them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <time.h>

#include "runtime/app/show.h"
#include "runtime/base/map.h"

#define PAUSE_NS 200000000
#define WINDOW   1000 /* steps: more than are in flight at once, few enough to read quickly */

struct follow {
    struct map *open;     /* path@attempt of steps shown before they ended -> any pointer */
    int64_t last, oldest; /* numbers of the newest step, and of the oldest open one (or last + 1) */
    struct json *verdict; /* the newest, or NULL */
};

static bool is_over(const struct json *step)
{
    const char *status = jv_get_string(jv_get(step, "status"), "");

    return strcmp(status, "started") != 0 && strcmp(status, "waiting") != 0;
}

/* Is the step new, or has it ended since it was shown? Notes which are open. */
static bool is_news(struct follow *f, struct json *step)
{
    int64_t seq = jv_get_int(jv_get(step, "seq"), 0);
    struct str key = STR_INIT;
    bool known, news;

    str_printf(&key, "%s@%lld", jv_get_string(jv_get(step, "path"), ""),
               (long long)jv_get_int(jv_get(step, "attempt"), 0));
    known = map_get(f->open, str_cstr(&key)) != NULL;
    if (is_over(step)) {
        news = known || seq > f->last;
        map_remove(f->open, str_cstr(&key));
    } else {
        news = !known;
        map_put(f->open, str_cstr(&key), f);
        f->oldest = seq < f->oldest ? seq : f->oldest;
    }
    str_deinit(&key);
    return news;
}

/* Removes the steps that have been shown. */
static void keep_news(struct follow *f, struct show_view *v)
{
    struct json *news = jv_array();

    f->oldest = INT64_MAX;
    for (size_t i = 0; i < jv_size(v->run.steps); i++)
        if (is_news(f, jv_at(v->run.steps, i)))
            jv_append_adopt(news, jv_ref(jv_at(v->run.steps, i)));
    f->last = v->run.last_seq > f->last ? v->run.last_seq : f->last;
    jv_unref(v->run.steps);
    v->run.steps = news;
    if (v->run.verdict) {
        jv_unref(f->verdict);
        f->verdict = jv_ref(v->run.verdict);
    } else if (f->verdict) {
        v->run.verdict = jv_ref(f->verdict);
    }
}

static enum status look(struct follow *f, const struct show_view *how, struct show_view *part,
                        struct store_reader *q, const char *uuid, const char *path, bool whole,
                        struct error *err)
{
    int64_t after = f->oldest - 1 < f->last ? f->oldest - 1 : f->last;
    enum status st;

    if (after < f->last - WINDOW)
        after = f->last - WINDOW;
    *part = *how;
    st = show_load(part, q, uuid, path, whole ? -1 : after, err);
    if (!st)
        keep_news(f, part);
    return st;
}

int show_follow(const struct show_view *v, struct store_reader *q, const char *uuid,
                const char *path)
{
    struct follow f = {.open = map_new(), .last = -1, .oldest = INT64_MAX};
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    struct error err = ERROR_INIT;
    bool last = false;
    int code = EXIT_OK;

    while (!code && !last) {
        struct show_view part;
        enum status st = look(&f, v, &part, q, uuid, path, false, &err);
        if (!st && part.run.ended && map_size(f.open) > 0) {
            code = show_stream(&part, v->app->json, false);
            show_deinit(&part);
            st = look(&f, v, &part, q, uuid, path, true, &err);
        }
        last = !st && (part.run.ended || *v->app->interrupted);
        if (st)
            code = app_fail(v->app, &err);
        else if (!code)
            code = show_stream(&part, v->app->json, last);
        show_deinit(&part);
        if (!code && !last)
            nanosleep(&pause, NULL);
    }
    map_free(f.open, NULL);
    jv_unref(f.verdict);
    return code;
}
