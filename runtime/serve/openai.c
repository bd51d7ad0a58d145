/* openai.c - a request for chat completions or completions: all but its messages and tools.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/serve/openai.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "runtime/serve/openai_internal.h"

#define MAX_MODEL       256
#define MAX_N           16
#define MAX_STOP        256 /* bytes of one stop text; as the engine has it */
#define DEFAULT_TOKENS  16  /* of completions, as the API has it */
#define MIN_TEMPERATURE 1e-4

typedef bool read_param(struct openai_request *r, const struct json *v, const char *param,
                        struct openai_error *e);

/* ---- kinds of values */

static bool read_bool(const struct json *v, const char *param, bool *out, struct openai_error *e)
{
    if (jv_kind(v) != JV_BOOL)
        return openai_wrong_kind(e, param, v, "true or false");
    *out = jv_get_bool(v, false);
    return true;
}

static bool read_int(const struct json *v, const char *param, int64_t min, int64_t max,
                     int64_t *out, struct openai_error *e)
{
    if (jv_kind(v) != JV_INT)
        return openai_wrong_kind(e, param, v, "an integer");
    *out = jv_get_int(v, 0);
    if (*out < min || *out > max)
        return openai_fail(e, 400, "invalid_value", param, "%s must be %lld to %lld, not %lld",
                           param, (long long)min, (long long)max, (long long)*out);
    return true;
}

static bool read_number(const struct json *v, const char *param, double min, double max, float *out,
                        struct openai_error *e)
{
    double d = jv_get_number(v, NAN);

    if (jv_kind(v) != JV_INT && jv_kind(v) != JV_REAL)
        return openai_wrong_kind(e, param, v, "a number");
    if (!(d >= min && d <= max))
        return openai_fail(e, 400, "invalid_value", param, "%s must be %g to %g, not %g", param,
                           min, max, d);
    *out = (float)d;
    return true;
}

bool openai_only_keys(struct openai_error *e, const char *at, const struct json *object,
                      const char *const *keys)
{
    const char *key;
    struct json *value;

    for (void *it = NULL; (it = jv_next(object, it, &key, &value));) {
        const char *const *k = keys;

        while (*k && strcmp(*k, key) != 0)
            k++;
        if (!*k) {
            char param[OPENAI_PATH];

            (void)snprintf(param, sizeof(param), "%s.%.40s", at, key);
            return openai_fail(e, 400, "unknown_parameter", param, "unknown parameter: %s", param);
        }
    }
    return true;
}

/* ---- parameters */

static bool read_model(struct openai_request *r, const struct json *v, const char *param,
                       struct openai_error *e)
{
    if (jv_kind(v) != JV_STRING)
        return openai_wrong_kind(e, param, v, "a string");
    if (jv_string_len(v) == 0 || jv_string_len(v) > MAX_MODEL)
        return openai_fail(e, 400, "invalid_value", param, "model must have 1 to %d bytes, not %zu",
                           MAX_MODEL, jv_string_len(v));
    r->model = jv_get_string(v, "");
    return true;
}

static bool read_ids(struct openai_prompt *p, const struct json *v, const char *param,
                     struct openai_error *e)
{
    const size_t n = jv_size(v);

    p->ids = mem_alloc(n, sizeof(*p->ids));
    if (!p->ids)
        return openai_fail(e, 503, "overloaded", NULL, "no memory for a prompt of %zu tokens", n);
    for (size_t i = 0; i < n; i++) {
        const struct json *id = jv_at(v, i);
        int64_t value = 0;

        if (!read_int(id, param, 0, INT32_MAX, &value, e))
            return false;
        p->ids[i] = (int32_t)value;
    }
    p->n_ids = (int32_t)n;
    return true;
}

static bool read_one_prompt(struct openai_request *r, const struct json *v, const char *param,
                            struct openai_error *e)
{
    struct openai_prompt *p = &r->prompt[r->n_prompts++];

    if (jv_kind(v) == JV_STRING) {
        p->text = jv_get_string(v, "");
        p->text_bytes = jv_string_len(v);
        return true;
    }
    if (jv_kind(v) != JV_ARRAY)
        return openai_wrong_kind(e, param, v, "a string or an array of token ids");
    if (jv_size(v) == 0)
        return openai_fail(e, 400, "empty_array", param, "%s is empty", param);
    return read_ids(p, v, param, e);
}

/* A text, ids, or an array of either. */
static bool read_prompt(struct openai_request *r, const struct json *v, const char *param,
                        struct openai_error *e)
{
    const bool many = jv_kind(v) == JV_ARRAY && jv_kind(jv_at(v, 0)) != JV_INT;
    const size_t n = many ? jv_size(v) : 1;

    if (jv_kind(v) != JV_ARRAY && jv_kind(v) != JV_STRING)
        return openai_wrong_kind(e, param, v, "a string or an array");
    if (n == 0)
        return openai_fail(e, 400, "empty_array", param, "prompt is empty");
    if (n > OPENAI_MAX_CHOICES)
        return openai_fail(e, 400, "array_above_max_length", param,
                           "prompt must have at most %d prompts, not %zu", OPENAI_MAX_CHOICES, n);
    r->prompt = xcalloc(n, sizeof(*r->prompt));
    for (size_t i = 0; i < n; i++) {
        char at[OPENAI_PATH];

        (void)snprintf(at, sizeof(at), many ? "prompt[%zu]" : "prompt", i);
        if (!read_one_prompt(r, many ? jv_at(v, i) : v, at, e))
            return false;
    }
    return true;
}

static bool read_parallel(struct openai_request *r, const struct json *v, const char *param,
                          struct openai_error *e)
{
    bool parallel = true;

    if (!read_bool(v, param, &parallel, e))
        return false;
    r->one_call = !parallel;
    return true;
}

static bool read_max_tokens(struct openai_request *r, const struct json *v, const char *param,
                            struct openai_error *e)
{
    int64_t n = 0;

    if (!read_int(v, param, 1, INT32_MAX, &n, e))
        return false;
    if (r->max_tokens > 0 && r->max_tokens != n)
        return openai_fail(e, 400, "invalid_value", param,
                           "max_tokens and max_completion_tokens differ; give one of them");
    r->max_tokens = (int32_t)n;
    return true;
}

static bool read_n(struct openai_request *r, const struct json *v, const char *param,
                   struct openai_error *e)
{
    int64_t n = 0;

    if (!read_int(v, param, 1, MAX_N, &n, e))
        return false;
    r->n = (int32_t)n;
    return true;
}

static bool read_best_of(struct openai_request *r, const struct json *v, const char *param,
                         struct openai_error *e)
{
    int64_t n = 0;

    if (!read_int(v, param, 1, 20, &n, e))
        return false;
    return n == r->n || openai_refuse(e, param, "all n replies are returned");
}

static bool read_one_stop(struct openai_request *r, const struct json *v, const char *param,
                          struct openai_error *e)
{
    if (jv_kind(v) != JV_STRING)
        return openai_wrong_kind(e, param, v, "a string");
    if (jv_string_len(v) == 0 || jv_string_len(v) > MAX_STOP)
        return openai_fail(e, 400, "invalid_value", param,
                           "a stop text must have 1 to %d bytes, not %zu", MAX_STOP,
                           jv_string_len(v));
    r->stop[r->n_stop++] = jv_get_string(v, "");
    return true;
}

static bool read_stop(struct openai_request *r, const struct json *v, const char *param,
                      struct openai_error *e)
{
    if (jv_kind(v) != JV_ARRAY)
        return jv_kind(v) == JV_STRING ? read_one_stop(r, v, param, e)
                                       : openai_wrong_kind(e, param, v, "a string or an array");
    if (jv_size(v) > OPENAI_MAX_STOPS)
        return openai_fail(e, 400, "array_above_max_length", param,
                           "stop must have at most %d texts, not %zu", OPENAI_MAX_STOPS,
                           jv_size(v));
    for (size_t i = 0; i < jv_size(v); i++) {
        char at[OPENAI_PATH];

        (void)snprintf(at, sizeof(at), "stop[%zu]", i);
        if (!read_one_stop(r, jv_at(v, i), at, e))
            return false;
    }
    return true;
}

static bool read_stream(struct openai_request *r, const struct json *v, const char *param,
                        struct openai_error *e)
{
    return read_bool(v, param, &r->stream, e);
}

static bool read_stream_options(struct openai_request *r, const struct json *v, const char *param,
                                struct openai_error *e)
{
    static const char *const keys[] = {"include_usage", "include_obfuscation", NULL};
    const struct json *usage = jv_get(v, "include_usage"),
                      *blind = jv_get(v, "include_obfuscation");
    bool ignored;

    if (jv_kind(v) != JV_OBJECT)
        return openai_wrong_kind(e, param, v, "an object");
    if (!r->stream)
        return openai_fail(e, 400, "invalid_value", param, "%s needs stream to be true", param);
    if (!openai_only_keys(e, param, v, keys))
        return false;
    if (jv_kind(blind) != JV_NULL &&
        !read_bool(blind, "stream_options.include_obfuscation", &ignored, e))
        return false;
    return jv_kind(usage) == JV_NULL ||
           read_bool(usage, "stream_options.include_usage", &r->include_usage, e);
}

static bool read_echo(struct openai_request *r, const struct json *v, const char *param,
                      struct openai_error *e)
{
    return read_bool(v, param, &r->echo, e);
}

static bool no_others(struct openai_error *e, const char *param)
{
    return openai_refuse(e, param, "only the sampled tokens have log-probs; give 0");
}

/* true or false in a chat; the number of other tokens in completions. */
static bool read_logprobs(struct openai_request *r, const struct json *v, const char *param,
                          struct openai_error *e)
{
    int64_t others = 0;

    if (r->kind == OPENAI_CHAT)
        return read_bool(v, param, &r->logprobs, e);
    if (!read_int(v, param, 0, 5, &others, e))
        return false;
    if (others > 0)
        return no_others(e, param);
    r->logprobs = true;
    return !r->echo || openai_refuse(e, param, "the tokens of an echoed prompt have no log-probs");
}

static bool read_top_logprobs(struct openai_request *r, const struct json *v, const char *param,
                              struct openai_error *e)
{
    int64_t others = 0;

    (void)r;
    if (!read_int(v, param, 0, 20, &others, e))
        return false;
    return others == 0 || no_others(e, param);
}

static bool read_seed(struct openai_request *r, const struct json *v, const char *param,
                      struct openai_error *e)
{
    int64_t seed = 0;

    if (!read_int(v, param, INT64_MIN, INT64_MAX, &seed, e))
        return false;
    r->has_seed = true;
    r->seed = (uint64_t)seed;
    return true;
}

static bool read_temperature(struct openai_request *r, const struct json *v, const char *param,
                             struct openai_error *e)
{
    float *t = &r->sampling.temperature;

    if (!read_number(v, param, 0, 2, t, e))
        return false;
    return *t == 0 || (double)*t >= MIN_TEMPERATURE ||
           openai_fail(e, 400, "invalid_value", param, "temperature must be 0, or %g to 2",
                       MIN_TEMPERATURE);
}

static bool read_top_p(struct openai_request *r, const struct json *v, const char *param,
                       struct openai_error *e)
{
    if (!read_number(v, param, 0, 1, &r->sampling.top_p, e))
        return false;
    return r->sampling.top_p > 0 ||
           openai_fail(e, 400, "invalid_value", param, "top_p must be above 0");
}

static bool read_no_penalty(struct openai_request *r, const struct json *v, const char *param,
                            struct openai_error *e)
{
    float penalty = 0;

    (void)r;
    if (!read_number(v, param, -2, 2, &penalty, e))
        return false;
    return penalty == 0 || openai_refuse(e, param, "use repetition_penalty, or give 0");
}

static bool read_logit_bias(struct openai_request *r, const struct json *v, const char *param,
                            struct openai_error *e)
{
    struct sampling *s = &r->sampling;
    const char *key;
    struct json *value;

    if (jv_kind(v) != JV_OBJECT)
        return openai_wrong_kind(e, param, v, "an object");
    if (jv_size(v) > SAMPLING_MAX_BIAS)
        return openai_fail(e, 400, "invalid_value", param,
                           "logit_bias must have at most %d tokens, not %zu", SAMPLING_MAX_BIAS,
                           jv_size(v));
    for (void *it = NULL; (it = jv_next(v, it, &key, &value));) {
        char at[OPENAI_PATH];
        int64_t id = 0;

        (void)snprintf(at, sizeof(at), "logit_bias.%.40s", key);
        if (!text_to_i64(key, &id) || id < 0 || id > INT32_MAX)
            return openai_fail(e, 400, "invalid_value", at, "\"%.40s\" is not a token id", key);
        if (!read_number(value, at, -100, 100, &r->bias[s->n_bias], e))
            return false;
        r->bias_id[s->n_bias++] = (int32_t)id;
    }
    return true;
}

static bool read_modalities(struct openai_request *r, const struct json *v, const char *param,
                            struct openai_error *e)
{
    (void)r;
    if (jv_kind(v) != JV_ARRAY)
        return openai_wrong_kind(e, param, v, "an array");
    return (jv_size(v) == 1 && strcmp(jv_get_string(jv_at(v, 0), ""), "text") == 0) ||
           openai_refuse(e, param, "replies are text; give [\"text\"]");
}

static bool read_verbosity(struct openai_request *r, const struct json *v, const char *param,
                           struct openai_error *e)
{
    (void)r;
    return strcmp(jv_get_string(v, ""), "medium") == 0 ||
           openai_refuse(e, param, "the length of replies cannot be set; give \"medium\"");
}

static bool read_top_k(struct openai_request *r, const struct json *v, const char *param,
                       struct openai_error *e)
{
    int64_t k = 0;

    if (!read_int(v, param, -1, INT32_MAX, &k, e)) /* -1: off, as other servers have it */
        return false;
    r->sampling.top_k = k < 0 ? 0 : (int32_t)k;
    return true;
}

static bool read_min_p(struct openai_request *r, const struct json *v, const char *param,
                       struct openai_error *e)
{
    return read_number(v, param, 0, 1, &r->sampling.min_p, e);
}

static bool read_repetition_penalty(struct openai_request *r, const struct json *v,
                                    const char *param, struct openai_error *e)
{
    return read_number(v, param, 0.01, 100, &r->sampling.repetition_penalty, e);
}

static bool read_template_more(struct openai_request *r, const struct json *v, const char *param,
                               struct openai_error *e)
{
    if (jv_kind(v) != JV_OBJECT)
        return openai_wrong_kind(e, param, v, "an object");
    r->template_more = v;
    return true;
}

/* ---- all of them */

#define CHAT        OPENAI_CHAT
#define COMPLETIONS OPENAI_COMPLETIONS
#define BOTH        (OPENAI_CHAT | OPENAI_COMPLETIONS)

static const struct param {
    const char *name;
    int where;        /* a set of openai_kind */
    read_param *read; /* NULL: ignored, or refused */
    const char *why;  /* refused */
} params[] = {
#define PARAM(name, where, read) {#name, where, read, NULL},
#define IGNORED(name)            {#name, BOTH, NULL, NULL},
#define REFUSED(name, why)       {#name, BOTH, NULL, why},
#include "runtime/serve/openai_params.def"
#undef PARAM
#undef IGNORED
#undef REFUSED
};

static bool unknown_param(const char *name, struct openai_error *e)
{
    const char *names[ARRAY_LEN(params)], *near;
    char param[OPENAI_PATH];

    for (size_t i = 0; i < ARRAY_LEN(params); i++)
        names[i] = params[i].name;
    near = nearest_word(name, names, ARRAY_LEN(params));
    (void)snprintf(param, sizeof(param), "%.60s", name);
    if (near && strcmp(near, name) == 0) /* of the other kind of request */
        return openai_fail(e, 400, "unknown_parameter", param,
                           "%s is not a parameter of this kind of request", param);
    return openai_fail(e, 400, "unknown_parameter", param, "unknown parameter: %s%s%s%s", param,
                       near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* Fills the values of the parameters: NULL for one that is not given. */
static bool find_values(const struct openai_request *r, const struct json **values,
                        struct openai_error *e)
{
    const char *key;
    struct json *value;

    for (void *it = NULL; (it = jv_next(r->document, it, &key, &value));) {
        size_t i = 0;

        while (i < ARRAY_LEN(params) &&
               (strcmp(params[i].name, key) != 0 || !(params[i].where & (int)r->kind)))
            i++;
        if (i == ARRAY_LEN(params))
            return unknown_param(key, e);
        if (params[i].why && jv_kind(value) != JV_NULL)
            return openai_refuse(e, key, params[i].why);
        values[i] = value;
    }
    return true;
}

static bool read_params(struct openai_request *r, struct openai_error *e)
{
    static const char *const required[] = {"model", "messages", "prompt"};
    const struct json *values[ARRAY_LEN(params)] = {NULL};

    if (!find_values(r, values, e))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(params); i++)
        if (params[i].read && jv_kind(values[i]) != JV_NULL &&
            !params[i].read(r, values[i], params[i].name, e))
            return false;
    for (size_t i = 0; i < ARRAY_LEN(required); i++)
        if (jv_kind(jv_get(r->document, required[i])) == JV_NULL &&
            i != (r->kind == OPENAI_CHAT ? 2 : 1))
            return openai_fail(e, 400, "missing_required_parameter", required[i], "%s is missing",
                               required[i]);
    if (r->n * r->n_prompts > OPENAI_MAX_CHOICES)
        return openai_fail(e, 400, "invalid_value", "n", "n times the prompts must be at most %d",
                           OPENAI_MAX_CHOICES);
    if (r->kind == OPENAI_COMPLETIONS && r->max_tokens == 0)
        r->max_tokens = DEFAULT_TOKENS;
    return true;
}

bool openai_parse(enum openai_kind kind, const char *body, size_t n, struct openai_request *out,
                  struct openai_error *e)
{
    struct error err = ERROR_INIT;
    enum status st;

    *out = (struct openai_request){.kind = kind, .n = 1, .sampling = SAMPLING_DEFAULT};
    out->sampling.bias_id = out->bias_id;
    out->sampling.bias = out->bias;
    st = jv_parse(body, n, "body", &out->document, &err);
    if (st == STATUS_LIMIT && n > JSON_MAX_BYTES)
        return openai_fail(e, 413, "request_too_large", NULL,
                           "the body has %zu bytes; the limit is %zu", n, JSON_MAX_BYTES);
    if (st)
        return openai_fail(e, 400, "invalid_json", NULL,
                           "the body is not JSON that can be read: "
                           "%s%s%s",
                           err.where, err.where[0] ? ": " : "", err.message);
    if (jv_kind(out->document) != JV_OBJECT)
        openai_fail(e, 400, "invalid_type", NULL, "the body must be an object");
    else if (read_params(out, e))
        return true;
    openai_request_deinit(out);
    return false;
}

void openai_request_deinit(struct openai_request *r)
{
    for (int32_t i = 0; i < r->n_prompts; i++)
        free(r->prompt[i].ids);
    free(r->prompt);
    jv_unref(r->any_object);
    jv_unref(r->document);
    *r = (struct openai_request){.kind = r->kind};
}
