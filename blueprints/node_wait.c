/* node_wait.c - wait: waits until a time, or for a duration from the first start of the step.
 *
 * The time also counts while no process runs: a resume after that time goes on at once. A wait row
 * has the time; it takes no answer. The value is the time that it waited for.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>

#include "blueprints/frame_vars.h"
#include "blueprints/step.h"
#include "runtime/base/time_text.h"

static const char *word_of(const struct frame *f)
{
    return f->step->wait_is_for ? "for" : "until";
}

static enum status prepare(struct frame *f, struct json **in, struct error *err)
{
    struct json *value = NULL;
    struct error fault = ERROR_INIT;
    int64_t ms;
    enum status st = vars_eval(f->vars, f->step->wait, &value, err);

    if (!st && plan_wait_ms(f->step->wait_is_for, value, &ms, &fault))
        st = error_at(err, STATUS_INVALID, f->plan->file, f->step->line, f->step->column, "%s",
                      fault.message);
    if (st) {
        jv_unref(value);
        return st;
    }
    *in = jv_object();
    jv_set_adopt(*in, word_of(f), value);
    return STATUS_OK;
}

static bool end_if_over(struct frame *f, int64_t due_ms)
{
    struct str until = STR_INIT;

    if (frame_now(f) < due_ms)
        return false;
    time_put_rfc3339(&until, due_ms);
    frame_end(f, STEP_OK, jv_string(str_cstr(&until)), NULL);
    str_deinit(&until);
    return true;
}

static void poll_time(struct frame *f)
{
    (void)end_if_over(f, f->due_ms);
}

static void on_time(void *ctx)
{
    struct frame *f = ctx;

    loop_timer_free(f->node);
    f->node = NULL;
    poll_time(f); /* if the clock was set back, the time is not reached yet: poll */
}

static void wait_until(struct frame *f, int64_t due_ms)
{
    struct json *prompt = jv_object();
    struct str text = STR_INIT;
    int64_t left = due_ms - frame_now(f);

    str_puts(&text, "waits until ");
    time_put_rfc3339(&text, due_ms);
    jv_set_string(prompt, "text", str_cstr(&text));
    journal_wait(f->host->run, f->path, f->attempt, "timer", prompt, due_ms);
    step_record_waiting(f, due_ms);
    f->node = loop_timer_new(f->host->loop, left > 0 ? left : 0, on_time, f);
    str_deinit(&text);
    jv_unref(prompt);
}

static void begin(struct frame *f)
{
    int64_t ms = 0, due;
    struct error ignored = ERROR_INIT;
    enum status st = plan_wait_ms(f->step->wait_is_for, jv_get(f->in, word_of(f)), &ms, &ignored);

    assert(st == STATUS_OK); /* checked in prepare */
    (void)st;
    due = f->step->wait_is_for ? f->started_ms + ms : ms;
    if (!end_if_over(f, due))
        wait_until(f, due);
}

static void release(struct frame *f)
{
    loop_timer_free(f->node);
    f->node = NULL;
}

const struct node_ops node_wait_ops = {
    .prepare = prepare, .begin = begin, .poll = poll_time, .release = release};
