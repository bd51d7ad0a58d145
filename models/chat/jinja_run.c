/* jinja_run.c - the limits of a rendering, and the texts that it builds.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/jinja_run.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/seams.h"

#define MAX_RECURSION 500 /* of the evaluator: height of expressions times depth of macros */
#define MAX_US        10000000
#define CLOCK_EVERY   256 /* steps */

void jinja_fail(struct jinja_run *run, enum status st, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    if (run->st)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    run->st = error_at(run->err, st, run->name, run->line, 0, "%s", text);
}

/* Checks that run only from time to time: the clock, and the check of the caller. */
static void check_time(struct jinja_run *run)
{
    enum status st;

    if (seams_mono_us(seams_real()) - run->started_us > MAX_US) {
        jinja_fail(run, STATUS_LIMIT, "the template takes more than %d s", MAX_US / 1000000);
        return;
    }
    st = run->in->check ? run->in->check(run->in->check_ctx, run->err) : STATUS_OK;
    if (st)
        run->st = st;
}

bool jinja_spend(struct jinja_run *run, size_t steps)
{
    const int64_t before = run->steps / CLOCK_EVERY;
    const int64_t max = run->in->max_steps ? run->in->max_steps : CHAT_MAX_STEPS;

    if (run->st)
        return false;
    run->steps += (int64_t)(steps < CHAT_MAX_STEPS ? steps : CHAT_MAX_STEPS + 1);
    if (run->memory.exhausted)
        jinja_fail(run, STATUS_NO_MEMORY, "no memory to render the template");
    else if (run->memory.full)
        jinja_fail(run, STATUS_LIMIT, "the template needs more than %zu bytes", CHAT_MAX_MEMORY);
    else if (run->steps > max)
        jinja_fail(run, STATUS_LIMIT, "the template takes more than %lld steps", (long long)max);
    else if (run->steps / CLOCK_EVERY != before)
        check_time(run);
    return run->st == STATUS_OK;
}

bool jinja_go_down(struct jinja_run *run)
{
    if (run->depth >= MAX_RECURSION)
        jinja_fail(run, STATUS_LIMIT, "the template is nested too deeply");
    if (run->st)
        return false;
    run->depth++;
    return true;
}

void jinja_go_up(struct jinja_run *run)
{
    run->depth--;
}

struct jinja_value jinja_take_text(struct jinja_run *run, struct str *s)
{
    struct jinja_value v = JINJA_UNDEFINED;

    if (!str_ok(s))
        jinja_fail(run, STATUS_LIMIT, "a string of the template is longer than %zu bytes", s->max);
    else if (jinja_spend(run, 1 + s->len / 64))
        v = jinja_string_copy(&run->memory, str_cstr(s), s->len);
    str_deinit(s);
    jinja_spend(run, 0);
    return v;
}

/* Looks for `a` among the joined texts and moves its entry, or the least recently used one, to the
 * front. True: it is `a`. */
static bool find_joined(struct jinja_run *run, struct jinja_text a)
{
    size_t i = 0;
    struct jinja_joined found;

    while (i + 1 < JINJA_JOINED && (run->joined[i].p != a.p || run->joined[i].n != a.n))
        i++;
    found = run->joined[i];
    memmove(run->joined + 1, run->joined, i * sizeof(found));
    run->joined[0] = found;
    return found.p && found.p == a.p && found.n == a.n;
}

struct jinja_value jinja_join_texts(struct jinja_run *run, struct jinja_text a, struct jinja_text b)
{
    const bool grows = find_joined(run, a);
    struct jinja_joined *j = &run->joined[0];

    if (!jinja_spend(run, 1 + b.n / 64))
        return JINJA_UNDEFINED;
    if (!grows || b.n > j->cap - j->n) {
        const size_t room = grows && a.n < CHAT_MAX_MEMORY / 4 ? a.n : 0;
        char *p = jinja_alloc(&run->memory, a.n + b.n + room + 1);

        if (!jinja_spend(run, a.n / 64) || p == NULL)
            return JINJA_UNDEFINED;
        if (a.n)
            memcpy(p, a.p, a.n);
        *j = (struct jinja_joined){p, a.n, a.n + b.n + room};
    }
    if (b.n)
        memcpy(j->p + j->n, b.p, b.n);
    j->n += b.n;
    return jinja_string((struct jinja_text){j->p, j->n});
}
