/* cmd_env_verify.c - env verify: plays the calls of an episode again and asks the verifier.
 *
 * It needs no model: equal seeds and calls give equal results. A call that the environment does not
 * understand counts, as it does when a model makes it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/api/episode_json.h"
#include "runtime/app/app_env.h"
#include "runtime/app/table.h"

#define MAX_BYTES ((size_t)256 << 20)

struct verification {
    struct app *app;
    const struct env_ops *env;
    const char *file;
    struct json *results; /* array */
    struct str text;
    int64_t n, n_success, n_different;
};

/* The result of a replay, besides the verdict. */
struct replay {
    struct env_verdict verdict;
    bool done;
    int64_t n_unread; /* calls that were not understood */
    int64_t n_after;  /* calls after the end of the episode: not played */
    struct error first_unread;
    int64_t first_unread_at;
};

static enum status replay_calls(const struct env_ops *env, const struct env_params *p,
                                const struct json *calls, struct replay *out, struct error *err)
{
    struct env *e = NULL;
    struct env_effect fx = {.done = false};
    struct json *none = jv_object();
    enum status st = env->create(p, &e, err);

    for (size_t i = 0; !st && i < jv_size(calls); i++) {
        const struct json *c = jv_at(calls, i), *arguments = jv_get(c, "arguments");
        struct error own = ERROR_INIT;
        struct env_call call;

        if (fx.done) {
            out->n_after = (int64_t)(jv_size(calls) - i);
            break;
        }
        if (env_call_from_json(env, jv_get_string(jv_get(c, "name"), ""),
                               jv_kind(arguments) == JV_OBJECT ? arguments : none, &call, &own) &&
            out->n_unread++ == 0) {
            out->first_unread = own;
            out->first_unread_at = (int64_t)i + 1;
        }
        jv_unref(env->call(e, &call, &fx));
    }
    if (!st) {
        env->verify(e, &out->verdict);
        out->done = fx.done;
        env->free(e);
    }
    jv_unref(none);
    return st;
}

/* The first member of the new verdict that differs in the recorded one, or NULL. */
static const char *difference(const struct json *recorded, const struct json *verdict)
{
    const char *key;
    struct json *value;

    for (void *it = NULL; (it = jv_next(verdict, it, &key, &value));)
        if (jv_get(recorded, key) && !jv_equal(jv_get(recorded, key), value))
            return key;
    return NULL;
}

static void warn_of_calls(const struct verification *v, long line, const struct replay *r)
{
    if (r->n_unread > 0)
        log_write(v->app->log, LOG_WARN,
                  "%s:%ld: %lld call%s not understood, but count%s; the first is number %lld: %s",
                  v->file, line, (long long)r->n_unread, r->n_unread == 1 ? " is" : "s are",
                  r->n_unread == 1 ? "s" : "", (long long)r->first_unread_at,
                  r->first_unread.message);
    if (r->n_after > 0)
        log_write(v->app->log, LOG_WARN, "%s:%ld: ignored %lld call%s after the end of the episode",
                  v->file, line, (long long)r->n_after, plural_s(r->n_after));
}

static void put_result(struct verification *v, long line, const struct env_params *p,
                       const struct replay *r, const struct json *recorded)
{
    struct json *o = jv_object(), *verdict = env_verdict_json(&r->verdict);
    const char *other = recorded ? difference(recorded, verdict) : NULL;
    const struct env_verdict *w = &r->verdict;

    v->n++;
    v->n_success += w->success;
    v->n_different += other != NULL;
    str_printf(&v->text, "%s:%ld: task %llu, %d step%s: %s", v->file, line,
               (unsigned long long)p->task_seed, p->horizon, plural_s(p->horizon),
               w->success ? "success" : "failure");
    if (!r->done)
        str_puts(&v->text, " (the calls end before the episode does)");
    str_printf(&v->text,
               "; %d of %d steps right, %d call%s, %d fault%s, %d of %d recovered, %d own slip%s\n",
               w->steps_right, w->steps, w->calls, plural_s(w->calls), w->faults,
               plural_s(w->faults), w->recovered, w->at_risk, w->own_slips, plural_s(w->own_slips));
    if (other)
        str_printf(&v->text, "  differs from the recorded verdict in \"%s\"\n", other);
    jv_set_int(o, "line", line);
    jv_set_adopt(o, "task_seed", jv_int((int64_t)p->task_seed));
    jv_set_int(o, "horizon", p->horizon);
    jv_set_bool(o, "done", r->done);
    jv_set_int(o, "not_understood", r->n_unread);
    jv_set_int(o, "after_end", r->n_after);
    jv_set_adopt(o, "verdict", verdict);
    if (recorded)
        jv_set_bool(o, "as_recorded", !other);
    jv_append_adopt(v->results, o);
}

/* One episode, or a document of `show` that contains one. */
static enum status verify_one(struct verification *v, const struct json *doc, long line,
                              struct error *err)
{
    const struct json *episode = jv_get(doc, "episode") ? jv_get(doc, "episode") : doc;
    const struct json *recorded = jv_get(episode, "verdict");
    struct replay r = {.done = false};
    struct env_params p;
    enum status st = episode_json_read(v->env, episode, &p, err);

    if (!st)
        st = replay_calls(v->env, &p, jv_get(episode, "calls"), &r, err);
    if (st) {
        snprintf(err->where, sizeof(err->where), "%s:%ld", v->file, line);
        return st;
    }
    warn_of_calls(v, line, &r);
    put_result(v, line, &p, &r, jv_kind(recorded) == JV_OBJECT ? recorded : NULL);
    return STATUS_OK;
}

static bool is_blank(const char *bytes, size_t n)
{
    return strspn(bytes, " \t\r\n") >= n;
}

static enum status verify_lines(struct verification *v, const char *bytes, size_t n,
                                struct error *err)
{
    enum status st = STATUS_OK;
    long line = 1;

    for (size_t at = 0; !st && at < n && !*v->app->interrupted; line++) {
        const char *end = memchr(bytes + at, '\n', n - at);
        size_t length = end ? (size_t)(end - bytes) - at : n - at;
        struct json *doc = NULL;

        if (!is_blank(bytes + at, length)) {
            st = jv_parse_line(bytes + at, length, MAX_BYTES, v->file, line, &doc, err);
            if (!st)
                st = verify_one(v, doc, line, err);
            jv_unref(doc);
        }
        at += length + 1;
    }
    return st;
}

/* One document over any number of lines, or one per line: decided by whether the first
 * line is a whole document. */
static enum status verify_bytes(struct verification *v, const char *bytes, size_t n,
                                struct error *err)
{
    size_t from = strspn(bytes, " \t\r\n");
    const char *end = from < n ? memchr(bytes + from, '\n', n - from) : NULL;
    struct error ignored = ERROR_INIT;
    struct json *doc = NULL;
    enum status st;

    if (from >= n)
        return error_set(err, STATUS_INVALID, "%s contains no episode", v->file);
    if (!end || !jv_parse_max(bytes + from, (size_t)(end - bytes) - from, MAX_BYTES, v->file, &doc,
                              &ignored)) {
        jv_unref(doc);
        return verify_lines(v, bytes, n, err);
    }
    st = jv_parse_max(bytes, n, MAX_BYTES, v->file, &doc, err);
    if (!st)
        st = verify_one(v, doc, 1, err);
    jv_unref(doc);
    return st;
}

static int print_results(struct verification *v)
{
    struct app *a = v->app;

    if (a->json) {
        struct json *doc = app_document("env_verify");
        jv_set_string(doc, "env", v->env->name);
        jv_set_int(doc, "n", v->n);
        jv_set_int(doc, "successes", v->n_success);
        jv_set_int(doc, "different", v->n_different);
        jv_set_adopt(doc, "episodes", jv_ref(v->results));
        return app_print_json(doc);
    }
    if (v->n > 1)
        str_printf(&v->text, "%lld episodes, %lld success%s\n", (long long)v->n,
                   (long long)v->n_success, v->n_success == 1 ? "" : "es");
    return app_print(&v->text);
}

static int verify_main(void *app)
{
    struct app *a = app;
    struct verification v = {
        .app = a, .file = options_arg(a->options, 1), .results = jv_array(), .text = STR_INIT};
    struct error err = ERROR_INIT;
    char *bytes = NULL;
    size_t n = 0;
    enum status st = STATUS_OK;
    int code;

    v.env = app_env(options_arg(a->options, 0), &err);
    if (!v.env)
        st = err.status;
    if (!st)
        st = file_read(v.file, MAX_BYTES, &bytes, &n, &err);
    if (!st)
        st = verify_bytes(&v, bytes, n, &err);
    code = st ? app_fail(a, &err) : print_results(&v);
    if (!code && v.n_different > 0)
        code = EXIT_NOT_OK;
    free(bytes);
    jv_unref(v.results);
    str_deinit(&v.text);
    return code;
}

const struct command_spec cmd_env_verify = {
    "env verify",
    "learn",
    "ENV FILE",
    "replay the calls of an episode and print the verdict",
    "FILE contains one episode as JSON, or one per line:\n"
    "  {\"task_seed\": 2097152, \"horizon\": 10, \"calls\": [{\"name\": \"next\", \"arguments\": "
    "{}}, ...]}\n"
    "\"fault_seed\", \"noise\", \"profile\", \"faults\" and \"ablation\" are optional.\n"
    "The output of `troupe show RUN/row[0]/episode[0] --json` is such a file; `jq -c .episode` "
    "makes one line\nof it. A call "
    "that the environment does not understand counts, as it does when a model makes it. Model "
    "output\nthat is not a call has the name \"invalid\". The exit code is 0 for any verdict, and "
    "3 when the file holds a\nrecorded verdict and the new one differs.",
    NULL,
    2,
    2,
    verify_main};
