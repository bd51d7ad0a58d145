/* chat_answer.c - see chat_answer.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/remote/chat_answer.h"

#include <stdlib.h>
#include <string.h>

#include "models/remote/answer_secrets.h"
#include "models/remote/chat_answer_calls.h"
#include "models/remote/chat_answer_ids.h"
#include "models/remote/lenient_json.h"
#include "runtime/base/memory.h"

#define MAX_TOKENS_SAID (1 << 28) /* a usage above is not believed */

struct chat_answer {
    const struct remote_spec *spec;
    struct str text, reasoning;
    size_t n_given; /* bytes of the text that chat_answer_news has lent */
    size_t n_clean; /* bytes of it in which secrets were looked for */
    struct answer_secrets secrets;
    struct answer_calls calls;
    struct answer_ids ids;
    struct model_usage usage;
    bool has_usage;
    enum model_finish finish; /* FINISH_NONE until the server says */
    bool was_filtered, was_aborted;
    bool is_done; /* [DONE], or the body is whole */
    struct remote_fault fault;
};

/* Servers need not keep max_tokens: a limit with much room for tokens of blanks. */
static size_t max_text(int32_t max_tokens)
{
    size_t most = 65536 + 256 * (size_t)(max_tokens > 0 ? max_tokens : 0);

    return most < ANSWER_MAX_TEXT ? most : ANSWER_MAX_TEXT;
}

struct chat_answer *chat_answer_new(const struct remote_spec *spec, int32_t max_tokens)
{
    struct chat_answer *a = xcalloc(1, sizeof(*a));

    a->spec = spec;
    str_init(&a->text, max_text(max_tokens));
    str_init(&a->reasoning, ANSWER_MAX_TEXT);
    return a;
}

void chat_answer_free(struct chat_answer *a)
{
    if (!a)
        return;
    str_deinit(&a->text);
    str_deinit(&a->reasoning);
    answer_calls_deinit(&a->calls);
    answer_ids_deinit(&a->ids);
    answer_secrets_deinit(&a->secrets);
    free(a);
}

const struct remote_fault *chat_answer_fault(const struct chat_answer *a)
{
    return &a->fault;
}

bool chat_answer_is_done(const struct chat_answer *a)
{
    return a->is_done;
}

bool chat_answer_is_complete(const struct chat_answer *a)
{
    return a->is_done || a->finish != FINISH_NONE;
}

void chat_answer_hide(struct chat_answer *a, const char *secret)
{
    answer_secrets_add(&a->secrets, secret);
}

const char *chat_answer_news(struct chat_answer *a, bool all, size_t *n)
{
    const char *from = str_cstr(&a->text) + a->n_given;
    size_t held = 0;

    answer_secrets_hide(&a->secrets, a->text.data, a->text.len, a->n_clean);
    a->n_clean = a->text.len;
    if (!all && !chat_answer_is_complete(a))
        held = answer_secrets_begun(&a->secrets, from, a->text.len - a->n_given);
    *n = a->text.len - a->n_given - held;
    a->n_given += *n;
    return from;
}

static enum status put_text(struct str *to, const char *text, size_t n, struct error *err)
{
    str_append(to, text, n);
    if (str_ok(to))
        return STATUS_OK;
    if (n > to->max - to->len)
        return error_set(err, STATUS_LIMIT,
                         "the server's answer is longer than %zu bytes, far above max_tokens",
                         to->max);
    return error_set(err, STATUS_NO_MEMORY, "no memory for the server's answer");
}

/* Text, or a list of parts with text. */
static enum status put_content(struct str *to, const struct json *v, struct error *err)
{
    enum status st = STATUS_OK;

    if (jv_kind(v) == JV_STRING)
        return put_text(to, jv_get_string(v, ""), jv_string_len(v), err);
    for (size_t i = 0; jv_kind(v) == JV_ARRAY && i < jv_size(v) && !st; i++) {
        const struct json *text = jv_get(jv_at(v, i), "text");

        if (jv_kind(text) == JV_STRING)
            st = put_text(to, jv_get_string(text, ""), jv_string_len(text), err);
    }
    return st;
}

/* Some servers send reasoning under both names. */
static const struct json *reasoning_of(const struct json *message)
{
    const struct json *v = jv_get(message, "reasoning_content");

    return jv_kind(v) == JV_STRING ? v : jv_get(message, "reasoning");
}

/* A delta or a message. */
static enum status put_message(struct chat_answer *a, const struct json *m, bool whole,
                               struct error *err)
{
    const struct json *calls = jv_get(m, "tool_calls");
    enum status st = put_content(&a->text, jv_get(m, "content"), err);

    if (!st)
        st = put_content(&a->text, jv_get(m, "refusal"), err);
    if (!st)
        st = put_content(&a->reasoning, reasoning_of(m), err);
    if (!st && whole)
        st = answer_calls_set(&a->calls, calls, err);
    else if (!st)
        st = answer_calls_add(&a->calls, calls, err);
    if (!st && jv_kind(jv_get(m, "function_call")) == JV_OBJECT) /* the older form */
        st = answer_calls_add(&a->calls, jv_get(m, "function_call"), err);
    return st;
}

static void put_finish(struct chat_answer *a, const char *reason)
{
    if (!reason || !*reason)
        return;
    a->finish = FINISH_STOP;
    if (strcmp(reason, "length") == 0 || strcmp(reason, "max_tokens") == 0)
        a->finish = FINISH_LENGTH;
    else if (strcmp(reason, "content_filter") == 0)
        a->was_filtered = true;
    else if (strcmp(reason, "error") == 0 || strcmp(reason, "abort") == 0)
        a->was_aborted = true;
}

/* In [0, limit]. */
static int32_t count_of(const struct json *v, int32_t limit)
{
    int64_t n = jv_get_int(v, 0);

    return n < 0 ? 0 : n > limit ? limit : (int32_t)n;
}

static void put_usage(struct chat_answer *a, const struct json *u)
{
    int64_t prompt = jv_get_int(jv_get(u, "prompt_tokens"), -1),
            completion = jv_get_int(jv_get(u, "completion_tokens"), -1);
    const struct json *cached = jv_get(jv_get(u, "prompt_tokens_details"), "cached_tokens");

    if (prompt < 0 || completion < 0 || prompt > MAX_TOKENS_SAID || completion > MAX_TOKENS_SAID)
        return;
    if (!cached)
        cached = jv_get(u, "prompt_cache_hit_tokens");
    a->has_usage = true;
    a->usage = (struct model_usage){
        .prompt = (int32_t)prompt,
        .cached = count_of(cached, (int32_t)prompt),
        .completion = (int32_t)completion,
        .reasoning = count_of(jv_get(jv_get(u, "completion_tokens_details"), "reasoning_tokens"),
                              (int32_t)completion)};
}

/* The first choice; servers may leave out its index. NULL: there is none. */
static const struct json *choice_of(const struct json *doc)
{
    const struct json *choices = jv_get(doc, "choices");

    for (size_t i = 0; jv_kind(choices) == JV_ARRAY && i < jv_size(choices); i++) {
        const struct json *c = jv_at(choices, i);

        if (jv_kind(c) == JV_OBJECT && jv_get_int(jv_get(c, "index"), 0) == 0)
            return c;
    }
    return NULL;
}

static enum status put_document(struct chat_answer *a, const struct json *doc, bool is_event,
                                struct error *err)
{
    const struct json *choice = choice_of(doc), *delta = jv_get(choice, "delta"),
                      *message = jv_get(choice, "message");
    bool whole = jv_kind(message) == JV_OBJECT && jv_kind(delta) != JV_OBJECT;
    enum status st = remote_error_inside(a->spec, doc, &a->fault, err);

    if (st)
        return st;
    if (jv_kind(jv_get(doc, "usage")) == JV_OBJECT)
        put_usage(a, jv_get(doc, "usage"));
    if (!choice)
        return STATUS_OK;
    answer_ids_add(&a->ids, doc, choice);
    /* A message at the end of a stream repeats what the deltas said. */
    if (!whole)
        st = put_message(a, delta, false, err);
    else if (!is_event || (a->text.len == 0 && a->calls.n == 0))
        st = put_message(a, message, true, err);
    put_finish(a, jv_get_string(jv_get(choice, "finish_reason"), NULL));
    return st;
}

/* The beginning of a document in an error. */
static enum status not_json(struct chat_answer *a, const char *what, const char *data, size_t n,
                            const struct error *why, struct error *err)
{
    struct str shown = STR_INIT;

    str_put_json_string(&shown, data, n < 60 ? n : 60);
    a->fault = (struct remote_fault){.passes = n == 0 || data[0] != '<'}; /* a page stays a page */
    error_set(err, STATUS_INVALID, "the server sent %s that is not a JSON object: %s%s%s", what,
              str_cstr(&shown), why->message[0] ? ": " : "", why->message);
    if (!a->fault.passes)
        remote_error_hint_path(a->spec, err);
    str_deinit(&shown);
    return STATUS_INVALID;
}

static enum status read_document(struct chat_answer *a, const char *data, size_t n, bool is_event,
                                 struct error *err)
{
    struct json *doc = NULL;
    struct error why = ERROR_INIT;
    enum status st = lenient_json(data, n, is_event ? "event" : "answer", &doc, &why);

    a->fault = (struct remote_fault){.passes = false};
    if (st == STATUS_NO_MEMORY)
        return error_set(err, st, "%s", why.message);
    if (st || jv_kind(doc) != JV_OBJECT)
        st = not_json(a, is_event ? "an event" : "an answer", data, n, &why, err);
    else
        st = put_document(a, doc, is_event, err);
    jv_unref(doc);
    return st;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum status chat_answer_event(struct chat_answer *a, const char *data, size_t n, struct error *err)
{
    while (n > 0 && is_blank(data[0])) {
        data++;
        n--;
    }
    while (n > 0 && is_blank(data[n - 1]))
        n--;
    if (n == 0 || data[0] == ':' || a->is_done) /* some keep a stream alive with `data: : ...` */
        return STATUS_OK;
    if (n == 6 && memcmp(data, "[DONE]", 6) == 0) {
        a->is_done = true;
        return STATUS_OK;
    }
    return read_document(a, data, n, true, err);
}

enum status chat_answer_body(struct chat_answer *a, const char *body, size_t n, struct error *err)
{
    enum status st = read_document(a, body, n, false, err);

    if (st)
        return st;
    if (a->finish == FINISH_NONE && a->text.len == 0 && a->calls.n == 0) {
        a->fault = (struct remote_fault){.passes = true};
        return error_set(err, STATUS_INVALID, "the server's answer has no choices");
    }
    a->is_done = true;
    return STATUS_OK;
}

static enum status check_end(struct chat_answer *a, struct error *err)
{
    if (a->was_filtered) {
        a->fault.whose = MODEL_FAULT_FILTER;
        return error_set(err, STATUS_FAILED, "the server's content filter ended the answer");
    }
    a->fault.passes = true;
    if (a->was_aborted)
        return error_set(err, STATUS_FAILED, "the server ended the answer with an error");
    if (!chat_answer_is_complete(a) && !answer_calls_are_whole(&a->calls))
        return error_set(err, STATUS_IO,
                         "the server's answer was cut off: its stream ended without a finish "
                         "reason and without [DONE]");
    if (a->is_done && a->finish == FINISH_NONE && a->text.len + a->reasoning.len == 0 &&
        a->calls.n == 0)
        return error_set(err, STATUS_INVALID, "the server's answer is empty");
    a->fault.passes = false;
    return STATUS_OK;
}

/* Servers take tool_choice as a wish. A reply that was cut is the caller's to judge. */
static enum status check_choice(struct chat_answer *a, const char *choice, const struct json *calls,
                                struct error *err)
{
    const char *other = NULL;

    if (!choice || a->finish == FINISH_LENGTH)
        return STATUS_OK;
    a->fault.passes = true;
    if (strcmp(choice, "none") == 0 && jv_size(calls) > 0)
        return error_set(err, STATUS_FAILED,
                         "the server's answer calls \"%.64s\", although no call was allowed "
                         "(tool_choice)",
                         jv_get_string(jv_get(jv_at(calls, 0), "name"), ""));
    if (strcmp(choice, "none") != 0 && jv_size(calls) == 0)
        return error_set(err, STATUS_FAILED,
                         "the server's answer is text, although a tool call was required "
                         "(tool_choice \"%.64s\")",
                         choice);
    for (size_t i = 0; i < jv_size(calls) && !other; i++) {
        const char *name = jv_get_string(jv_get(jv_at(calls, i), "name"), "");

        other = strcmp(name, choice) == 0 ? NULL : name;
    }
    if (other && strcmp(choice, "required") != 0)
        return error_set(err, STATUS_FAILED,
                         "the server's answer calls \"%.64s\", although only a call of \"%.64s\" "
                         "was allowed (tool_choice)",
                         other, choice);
    a->fault.passes = false;
    return STATUS_OK;
}

static char *take_text(struct str *s)
{
    char *text = str_take(s);

    return text ? text : xstrdup("");
}

enum status chat_answer_end(struct chat_answer *a, struct model_call *c, struct error *err)
{
    struct json *calls;
    enum status st;

    a->fault = (struct remote_fault){.passes = false};
    st = check_end(a, err);
    if (st)
        return st;
    answer_secrets_hide(&a->secrets, a->text.data, a->text.len, a->n_clean);
    answer_secrets_hide(&a->secrets, a->reasoning.data, a->reasoning.len, 0);
    answer_calls_hide(&a->calls, &a->secrets);
    calls = answer_calls_take(&a->calls);
    st = check_choice(a, c->tool_choice, calls, err);
    if (st) {
        jv_unref(calls);
        return st;
    }
    c->finish = a->finish == FINISH_LENGTH ? FINISH_LENGTH : FINISH_STOP;
    c->tool_calls = calls;
    c->reasoning = a->reasoning.len > 0 ? take_text(&a->reasoning) : NULL;
    c->text = take_text(&a->text);
    c->usage = a->has_usage ? a->usage
                            : model_usage_estimate(c->messages, c->tools, c->text, c->tool_calls);
    answer_ids_take(&a->ids, a->has_usage ? &a->usage : NULL, c);
    return STATUS_OK;
}
