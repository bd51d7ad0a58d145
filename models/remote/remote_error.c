/* remote_error.c - see remote_error.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/remote/remote_error.h"

#include <string.h>
#include <strings.h>

#include "models/remote/lenient_json.h"
#include "runtime/base/utf8.h"
#include "runtime/http/http.h"

#define MAX_WORDS   300             /* characters of the server's own words */
#define MAX_BODY    ((size_t)65536) /* of an error that is read */
#define MAX_WAIT_MS INT64_C(86400000)

/* What a body says, lent by its document; NULL where it does not. */
struct said {
    const char *words, *type, *code;
    int64_t number;          /* the code as a number; 0: none */
    int64_t n_prompt, n_ctx; /* 0: none */
};

static struct said read_error(const struct json *doc)
{
    const struct json *first = jv_kind(doc) == JV_ARRAY ? jv_at(doc, 0) : doc;
    const struct json *e = jv_get(first, "error"), *detail = jv_get(first, "detail");
    struct said s = {.words = jv_get_string(e, NULL)};

    if (jv_kind(e) != JV_OBJECT)
        e = first;
    if (!s.words)
        s.words = jv_get_string(jv_get(e, "message"), NULL);
    if (!s.words)
        s.words = jv_get_string(detail, NULL);
    if (!s.words)
        s.words = jv_get_string(jv_get(jv_at(detail, 0), "msg"), NULL);
    s.type = jv_get_string(jv_get(e, "type"), NULL);
    s.code = jv_get_string(jv_get(e, "code"), NULL);
    s.number = jv_get_int(jv_get(e, "code"), 0);
    if (s.number == 0)
        s.number = jv_get_int(jv_get(e, "status"), 0);
    s.n_prompt = jv_get_int(jv_get(e, "n_prompt_tokens"), 0);
    s.n_ctx = jv_get_int(jv_get(e, "n_ctx"), 0);
    return s;
}

/* One line of at most MAX_WORDS characters, without control characters. */
static void put_words(const char *text, size_t n, struct str *out)
{
    int32_t shown = 0;
    bool blank = false;

    for (size_t i = 0; i < n;) {
        char bytes[UTF8_MAX_BYTES];
        uint32_t c = utf8_next(text, n, &i);

        if (c <= ' ' || (c >= 0x7f && c < 0xa0)) {
            blank = shown > 0;
            continue;
        }
        if (shown >= MAX_WORDS) {
            str_puts(out, " ...");
            return;
        }
        if (blank)
            str_putc(out, ' ');
        shown += 1 + blank;
        blank = false;
        str_append(out, bytes, utf8_encode(c, bytes));
    }
}

static const char *find(const char *text, size_t n, const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; i + len <= n; i++)
        if (strncasecmp(text + i, word, len) == 0)
            return text + i;
    return NULL;
}

/* A page: its title. */
static void put_html(const char *text, size_t n, struct str *out)
{
    const char *from = find(text, n, "<title"), *end = text + n, *to;

    from = from ? memchr(from, '>', (size_t)(end - from)) : NULL;
    to = from ? find(from, (size_t)(end - from), "</title") : NULL;
    str_puts(out, "an HTML page");
    if (!to || to == from + 1)
        return;
    str_puts(out, " with the title \"");
    put_words(from + 1, (size_t)(to - from) - 1, out);
    str_puts(out, "\"");
}

static void put_plain(const char *body, size_t n, struct str *out)
{
    size_t i = 0;

    while (i < n && (body[i] == ' ' || body[i] == '\n' || body[i] == '\r' || body[i] == '\t'))
        i++;
    if (i < n && body[i] == '<')
        put_html(body, n, out);
    else if (i < n)
        put_words(body, n, out);
    else
        str_puts(out, "nothing more is said");
}

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
    for (size_t i = 0; word && i < n; i++)
        if (strcasecmp(word, list[i]) == 0)
            return true;
    return false;
}

#define SAYS(s, ...)                                                                               \
    (is_one_of((s)->type, (const char *const[]){__VA_ARGS__},                                      \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)) ||                     \
     is_one_of((s)->code, (const char *const[]){__VA_ARGS__},                                      \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))

static bool mentions(const char *words, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcasestr(words, list[i]))
            return true;
    return false;
}

static bool is_overflow(const struct said *s, const char *words)
{
    static const char *const phrases[] = {
        "context length",           "context size",      "context window", "prompt is too long",
        "maximum number of tokens", "input is too long",
    };

    return SAYS(s, "context_length_exceeded", "exceed_context_size_error") ||
           mentions(words, phrases, sizeof(phrases) / sizeof(phrases[0]));
}

/* The account, not the rate: waiting does not help. */
static bool is_unpaid(const struct said *s)
{
    return SAYS(s, "insufficient_quota", "billing_hard_limit_reached", "billing_not_active",
                "billing_error");
}

static bool is_filtered(const struct said *s)
{
    return SAYS(s, "content_filter", "content_policy_violation");
}

/* The HTTP code that an error inside an answer would have had. */
static int code_of(const struct said *s)
{
    if (s->number >= 400 && s->number < 600)
        return (int)s->number;
    if (SAYS(s, "rate_limit_error", "rate_limit_exceeded", "tokens", "requests"))
        return 429;
    if (SAYS(s, "overloaded_error", "overloaded", "unavailable_error", "service_unavailable"))
        return 503;
    if (SAYS(s, "authentication_error", "invalid_api_key", "permission_error"))
        return 401;
    if (SAYS(s, "not_found_error", "model_not_found"))
        return 404;
    if (SAYS(s, "invalid_request_error", "BadRequestError") || is_unpaid(s))
        return 400;
    return 500;
}

static enum status refused_key(const struct remote_spec *spec, int code, const char *words,
                               struct error *err)
{
    bool is_reference = spec->key && strstr(spec->key, "${");

    if (!spec->key) {
        error_set(err, STATUS_FAILED, "the server wants a key (%d): %s", code, words);
        error_hint(err, "set `key: ${env:NAME}` in the model's entry of `models:`");
    } else if (is_reference) {
        error_set(err, STATUS_FAILED, "the server refused the key %.200s (%d): %s", spec->key, code,
                  words);
    } else {
        error_set(err, STATUS_FAILED, "the server refused the model's `key` (%d): %s", code, words);
    }
    return STATUS_FAILED;
}

static enum status overflow(const struct said *s, const char *words, struct remote_fault *f,
                            struct error *err)
{
    f->whose = MODEL_FAULT_PROMPT;
    if (s->n_prompt > 0 && s->n_ctx > 0)
        return error_set(err, STATUS_LIMIT,
                         "the prompt has %lld tokens, but the context of the model is %lld",
                         (long long)s->n_prompt, (long long)s->n_ctx);
    return error_set(err, STATUS_LIMIT, "the prompt is too long for the model's context: %s",
                     words);
}

/* Codes that are about the request: the same one would fail again. */
static enum status bad_request(const struct remote_spec *spec, int code, const struct said *s,
                               const char *words, struct remote_fault *f, struct error *err)
{
    f->refuses_logprobs = strcasestr(words, "logprob") != NULL;
    f->whose = MODEL_FAULT_SETUP;
    if (is_overflow(s, words))
        return overflow(s, words, f, err);
    if (code == 404)
        return error_set(err, STATUS_NOT_FOUND,
                         "the server has no model \"%.100s\", or no path %.200s/chat/completions "
                         "(404): %s",
                         spec->model, spec->url, words);
    if (code == 413) {
        f->whose = MODEL_FAULT_PROMPT;
        return error_set(err, STATUS_LIMIT, "the request is too long for the server (413): %s",
                         words);
    }
    if (code == 402 || is_unpaid(s))
        return error_set(err, STATUS_FAILED, "the account at the server is used up (%d): %s", code,
                         words);
    if (code == 400 || code == 422) /* others are about the path or the method, which are ours */
        f->whose = is_filtered(s) ? MODEL_FAULT_FILTER : MODEL_FAULT_REQUEST;
    return error_set(err, STATUS_INVALID, "the server refused the request (%d): %s", code, words);
}

static enum status explain(const struct remote_spec *spec, int code, const struct said *s,
                           const char *words, struct remote_fault *f, struct error *err)
{
    if (code == 401 || code == 403) {
        f->whose = MODEL_FAULT_SETUP;
        return refused_key(spec, code, words, err);
    }
    if (code == 429 && !is_unpaid(s)) {
        f->passes = true;
        f->whose = MODEL_FAULT_RATE;
        return error_set(err, STATUS_BUSY, "the server takes no more requests now (429): %s",
                         words);
    }
    if (code == 408 || code == 409 || code == 425) {
        f->passes = true;
        f->whose = MODEL_FAULT_DOWN;
        return error_set(err, STATUS_BUSY, "the server asks to try again (%d): %s", code, words);
    }
    if (code < 500)
        return bad_request(spec, code, s, words, f, err);
    if (code == 500 && is_overflow(s, words)) /* some servers have no other code */
        return overflow(s, words, f, err);
    f->is_outage = f->passes = code != 501 && code != 505;
    f->whose = code == 503 || code == 529 ? MODEL_FAULT_DOWN
               : code == 504              ? MODEL_FAULT_LATE
                                          : MODEL_FAULT_ANSWER;
    if (code == 503 || code == 529)
        return error_set(err, STATUS_BUSY, "the server is overloaded or starting (%d): %s", code,
                         words);
    return error_set(err, STATUS_FAILED, "the server failed (%d%s%s): %s", code,
                     *http_status_text(code) ? " " : "", http_status_text(code), words);
}

static enum status redirect(int code, const char *location, struct error *err)
{
    struct str words = STR_INIT;

    /* A query may hold a secret. */
    put_words(location ? location : "nowhere",
              location ? strcspn(location, "?#") : strlen("nowhere"), &words);
    error_set(err, STATUS_FAILED, "the server redirects to %s (%d), which is not followed",
              str_cstr(&words), code);
    error_hint(err, "set `url` of the model to the address that answers");
    str_deinit(&words);
    return STATUS_FAILED;
}

/* Does a part of the path say a version, as in /v1 or /openai/v1beta? */
static bool has_version(const char *url)
{
    for (const char *at = strstr(url, "/v"); at; at = strstr(at + 1, "/v"))
        if (at[2] >= '0' && at[2] <= '9')
            return true;
    return false;
}

void remote_error_hint_path(const struct remote_spec *spec, struct error *err)
{
    if (!has_version(spec->url))
        error_hint(err, "is the address %.120s/v1? The API of most servers is below /v1",
                   spec->url);
}

enum status remote_error_http(const struct remote_spec *spec, const struct remote_refusal *r,
                              struct remote_fault *out, struct error *err)
{
    size_t n = r->n < MAX_BODY ? r->n : MAX_BODY;
    struct json *doc = NULL;
    struct str words = STR_INIT;
    struct said s = {.words = NULL};
    enum status st;

    *out = (struct remote_fault){.passes = false};
    if (!lenient_json(r->body, n, "error", &doc, NULL))
        s = read_error(doc);
    if (s.words)
        put_words(s.words, strlen(s.words), &words);
    else
        put_plain(r->body, n, &words);
    if (r->code < 400)
        out->whose = MODEL_FAULT_SETUP; /* `url` is not that of a server of models */
    if (r->code >= 300 && r->code < 400)
        st = redirect(r->code, r->location, err);
    else if (r->code < 300)
        st = error_set(err, STATUS_FAILED, "the server answered %d instead of 200: %s", r->code,
                       str_cstr(&words));
    else
        st = explain(spec, r->code, &s, str_cstr(&words), out, err);
    if (r->code == 404 || r->code == 405 || r->code == 501)
        remote_error_hint_path(spec, err);
    if (out->passes && r->retry_after_ms > 0)
        out->retry_after_ms = r->retry_after_ms < MAX_WAIT_MS ? r->retry_after_ms : MAX_WAIT_MS;
    jv_unref(doc);
    str_deinit(&words);
    return st;
}

enum status remote_error_inside(const struct remote_spec *spec, const struct json *doc,
                                struct remote_fault *out, struct error *err)
{
    const struct json *e = jv_get(doc, "error");
    bool is_error = jv_kind(e) == JV_STRING || (jv_kind(e) == JV_OBJECT && jv_size(e) > 0) ||
                    strcmp(jv_get_string(jv_get(doc, "object"), ""), "error") == 0 ||
                    (jv_get(doc, "detail") && !jv_get(doc, "choices"));
    struct str words = STR_INIT;
    struct said s;
    enum status st;

    if (!is_error)
        return STATUS_OK;
    *out = (struct remote_fault){.passes = false};
    s = read_error(doc);
    if (s.words)
        put_words(s.words, strlen(s.words), &words);
    else
        str_puts(&words, "an error without words");
    st = explain(spec, code_of(&s), &s, str_cstr(&words), out, err);
    out->is_outage = false; /* it did answer */
    error_note(err, "inside the answer");
    str_deinit(&words);
    return st;
}
