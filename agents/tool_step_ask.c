/* tool_step_ask.c - the questions of a call: whether its effect happened (under the step's own
 * path), and the tool's own (under PATH/ask:N).
 *
 * The answer to the first is used once, then the question is closed. The tool's questions stay
 * until the step ends, because a restarted call asks them again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <string.h>

#include "agents/tool_step_state.h"
#include "runtime/base/memory.h"

#define ASK_MS ((int64_t)7 * 24 * 3600 * 1000)

static void set_asking(struct tool_step *s, bool asking, int64_t due_ms)
{
    if (s->spec.asking && !s->abandoned)
        s->spec.asking(s->spec.ctx, s, asking, due_ms);
}

void tool_step_drop_question(struct tool_step *s)
{
    jv_unref(s->answer);
    s->answer = NULL;
    if (!s->question)
        return;
    question_close(s->question);
    s->question = NULL;
    jv_unref(s->prompt);
    s->prompt = NULL;
    set_asking(s, false, 0);
}

/* Journals the kind of the question, for a resume. */
static void record_waiting(struct tool_step *s, const char *what)
{
    struct json *out = jv_object();

    jv_set_string(out, "asks", what);
    journal_finish(
        s->spec.run,
        &(struct step_result){
            .path = s->spec.path, .attempt = s->spec.attempt, .state = STEP_WAITING, .out = out});
    s->asks = what;
    jv_unref(out);
}

static void put(struct tool_step *s, const char *path, int32_t attempt, bool again,
                const char *kind, int64_t deadline_ms, question_answered answered)
{
    s->question = question_open(&(struct question_spec){.run = s->spec.run,
                                                        .path = path,
                                                        .attempt = attempt,
                                                        .ask_again = again,
                                                        .kind = kind,
                                                        .prompt = s->prompt,
                                                        .deadline_ms = deadline_ms,
                                                        .loop = s->spec.loop,
                                                        .seams = s->spec.seams},
                                answered, s);
}

/* ---- did it happen? */

static void ask_person(struct tool_step *s, bool again);

static void on_word(void *ctx, const struct json *answer, const struct error *err)
{
    struct tool_step *s = ctx;
    const char *word = jv_get_string(answer, "fail");
    struct json *out;

    if (err) {
        tool_step_fail(s, err->status, err);
        return;
    }
    if (answer && !question_takes(s->prompt, answer)) {
        tool_step_drop_question(s);
        ask_person(s, true);
        return;
    }
    if (strcmp(word, "repeat") == 0) {
        journal_wait_close(s->spec.run, s->spec.path, s->spec.attempt);
        tool_step_drop_question(s);
        tool_step_call(s);
        return;
    }
    s->result.assumed = strcmp(word, "done") == 0;
    out = jv_object();
    if (s->result.assumed) {
        jv_set_bool(out, "ok", true);
        tool_step_end(s, STEP_OK, out, NULL);
    } else {
        s->result.not_retryable = true;
        jv_set_string(out, "error", "the call was abandoned");
        tool_step_end(s, STEP_ERROR, out, "the call was abandoned");
    }
}

static struct json *effect_prompt(const struct tool_step *s)
{
    static const char *const options[] = {"done", "repeat", "fail"};
    struct json *prompt = jv_object(), *list = jv_array();
    struct str text = STR_INIT;

    str_printf(&text,
               "The call of %s in step %s may have taken effect, or not. done: it has, go on "
               "without its result; repeat: it has not, call again; fail: give up.",
               s->spec.tool->name, s->spec.path);
    jv_set_string(prompt, "text", str_cstr(&text));
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        jv_append_adopt(list, jv_string(options[i]));
    jv_set_adopt(prompt, "options", list);
    jv_set_string(prompt, "default", "fail");
    jv_set_string(prompt, "tool", s->spec.tool->name);
    if (s->spec.arguments)
        jv_set_adopt(prompt, "arguments", jv_ref(s->spec.arguments));
    str_deinit(&text);
    return prompt;
}

static void ask_person(struct tool_step *s, bool again)
{
    int64_t from = s->spec.started_ms > 0 ? s->spec.started_ms : seams_wall_ms(s->spec.seams);

    if (s->state != TOOL_STEP_UNCERTAIN)
        tool_step_move(s, TOOL_STEP_UNCERTAIN);
    s->prompt = effect_prompt(s);
    record_waiting(s, "effect");
    put(s, s->spec.path, s->spec.attempt, again, "effect", from + ASK_MS, on_word);
    set_asking(s, true, from + ASK_MS);
    question_look(s->question); /* it may have been asked before, and answered since */
}

void tool_step_ask_person(struct tool_step *s)
{
    ask_person(s, false);
}

/* ---- the tool's questions */

static void give_answer(struct tool_step *s)
{
    void (*answered)(struct tool_call *, const struct json *) = s->answered;
    struct json *answer = s->answer;

    s->answer = NULL;
    s->answered = NULL;
    tool_step_move(s, TOOL_STEP_CALLING);
    answered(s->call, answer);
    jv_unref(answer);
}

static void on_durable(void *ctx, enum status status, const struct error *err)
{
    struct tool_step *s = ctx;

    if (s->state == TOOL_STEP_RESUMING && !s->abandoned) {
        if (status)
            tool_step_fail(s, status, err);
        else
            give_answer(s);
    }
    tool_step_unref(s);
}

static void ask_for_tool(struct tool_step *s, bool again);

static void on_answer(void *ctx, const struct json *answer, const struct error *err)
{
    struct tool_step *s = ctx;
    bool keyed = s->spec.effect >= EFFECT_IDEMPOTENT;

    if (err) {
        tool_step_fail(s, err->status, err);
        return;
    }
    if (answer && !question_takes(s->prompt, answer)) {
        question_close(s->question);
        s->question = NULL;
        ask_for_tool(s, true);
        return;
    }
    tool_step_drop_question(s);
    s->answer = answer ? jv_deep_copy(answer) : NULL;
    tool_step_intend(s); /* it continues: after a crash from here on the effect may have happened */
    s->asks = NULL;
    if (!keyed) {
        give_answer(s);
        return;
    }
    tool_step_move(s, TOOL_STEP_RESUMING);
    s->refs++;
    journal_when_durable(s->spec.run, on_durable, s);
}

static void ask_for_tool(struct tool_step *s, bool again)
{
    struct str path = STR_INIT;

    str_printf(&path, "%s/ask:%d", str_cstr(&s->base), (int)s->n_asked);
    put(s, str_cstr(&path), 0, again, "tool", s->ask_deadline_ms, on_answer);
    str_deinit(&path);
    question_look(s->question);
}

static void ask(struct tool_call *c, const struct json *prompt, int64_t deadline_ms,
                void (*answered)(struct tool_call *c, const struct json *answer))
{
    struct tool_step *s = c->caller;

    if (!s->spec.run || s->abandoned || s->stopping || c != s->call ||
        s->state != TOOL_STEP_CALLING) {
        answered(c, NULL);
        return;
    }
    s->answered = answered;
    s->prompt = jv_deep_copy(prompt);
    jv_set_string(s->prompt, "tool", s->spec.tool->name);
    s->n_asked++;
    s->ask_deadline_ms = deadline_ms;
    tool_step_move(s, TOOL_STEP_ASKING);
    record_waiting(s, "tool");
    set_asking(s, true, deadline_ms);
    ask_for_tool(s, false);
}

void tool_step_answer_nobody(struct tool_step *s)
{
    void (*answered)(struct tool_call *, const struct json *) = s->answered;

    s->answered = NULL;
    tool_step_drop_question(s);
    if (answered)
        answered(s->call, NULL);
}

/* ---- progress and log lines */

static void note(struct tool_call *c, struct str *text)
{
    struct tool_step *s = c->caller;

    if (s->spec.note && !s->abandoned)
        s->spec.note(s->spec.ctx, str_cstr(text));
    str_deinit(text);
}

static void progress(struct tool_call *c, double done, double total, const char *words)
{
    struct str text = STR_INIT;

    str_printf(&text, "%s: %g", c->tool->name, done);
    if (total > 0)
        str_printf(&text, " of %g", total);
    if (words)
        str_printf(&text, ", %s", words);
    note(c, &text);
}

static void log_line(struct tool_call *c, const char *level, const char *words)
{
    struct str text = STR_INIT;

    str_printf(&text, "%s: %s: %s", c->tool->name, level, words);
    note(c, &text);
}

const struct tool_host tool_step_host = {.ask = ask, .progress = progress, .log = log_line};
