/* remote_spec_yaml.c - one entry of `models:` in troupe.yaml.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/remote/remote_spec_internal.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"

#define MAX_PRICE   1e6 /* dollars for a million tokens */
#define MAX_WAIT_MS INT64_C(86400000)

struct reader {
    const struct yaml *y;
    const struct yaml_node *map;
    struct error *err;
};

static enum status wrong(const struct reader *r, const struct yaml_node *at, const char *key,
                         const char *takes)
{
    return yaml_error(r->err, r->y, at, "`%s` takes %s", key, takes);
}

static enum status read_text(const struct reader *r, const char *key, char **out)
{
    const struct yaml_node *at = yaml_get(r->map, key);
    struct json *v;
    const char *text;

    if (!at)
        return STATUS_OK;
    v = yaml_to_json(at);
    text = jv_get_string(v, "");
    if (*text) {
        free(*out);
        *out = xstrdup(text);
    }
    jv_unref(v);
    return *out ? STATUS_OK : wrong(r, at, key, "text");
}

static enum status read_number(const struct reader *r, const char *key, double *out)
{
    const struct yaml_node *at = yaml_get(r->map, key);
    struct json *v = at ? yaml_to_json(at) : NULL;
    double d = jv_get_number(v, (double)NAN);

    jv_unref(v);
    if (!at)
        return STATUS_OK;
    if (!(d >= 0 && d <= MAX_PRICE))
        return wrong(r, at, key, "dollars for a million tokens, from 0 to 1000000");
    *out = d;
    return STATUS_OK;
}

static enum status read_count(const struct reader *r, const char *key, int32_t most, int32_t *out)
{
    const struct yaml_node *at = yaml_get(r->map, key);
    struct json *v = at ? yaml_to_json(at) : NULL;
    int64_t n = jv_get_int(v, 0);

    jv_unref(v);
    if (!at)
        return STATUS_OK;
    if (n < 1 || n > most)
        return yaml_error(r->err, r->y, at, "`%s` takes an integer from 1 to %d", key, (int)most);
    *out = (int32_t)n;
    return STATUS_OK;
}

static enum status read_bool(const struct reader *r, const char *key, bool *out)
{
    const struct yaml_node *at = yaml_get(r->map, key);
    struct json *v = at ? yaml_to_json(at) : NULL;
    bool ok = !at || jv_kind(v) == JV_BOOL;

    *out = jv_get_bool(v, *out);
    jv_unref(v);
    return ok ? STATUS_OK : wrong(r, at, key, "true or false");
}

static enum status read_time(const struct reader *r, const char *key, int64_t *out_ms)
{
    const struct yaml_node *at = yaml_get(r->map, key);
    const char *text = at && yaml_node_kind(at) == YAML_SCALAR ? yaml_text_of(at) : "";
    size_t n = strlen(text);
    int64_t ms = 0;

    if (!at)
        return STATUS_OK;
    if (n == 0 || (text[n - 1] >= '0' && text[n - 1] <= '9') || !text_to_duration_ms(text, &ms) ||
        ms <= 0 || ms > MAX_WAIT_MS)
        return wrong(r, at, key, "a duration with its unit (ms, s, m, h) up to 24h, as in 90s");
    *out_ms = ms;
    return STATUS_OK;
}

static enum status read_word(const struct reader *r, const char *key, const char *const *words,
                             size_t n, int *out)
{
    const struct yaml_node *at = yaml_get(r->map, key);
    struct str list = STR_INIT;
    enum status st;

    if (!at)
        return STATUS_OK;
    for (size_t i = 0; i < n; i++) {
        if (yaml_node_kind(at) == YAML_SCALAR && strcmp(yaml_text_of(at), words[i]) == 0) {
            *out = (int)i;
            str_deinit(&list);
            return STATUS_OK;
        }
        str_printf(&list, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", words[i]);
    }
    st = wrong(r, at, key, str_cstr(&list));
    str_deinit(&list);
    return st;
}

static enum status read_price(const struct reader *r, struct remote_spec *s)
{
    static const char *const keys[] = {"input", "cached", "output"};
    const struct yaml_node *at = yaml_get(r->map, "price");
    struct reader in = {.y = r->y, .map = at, .err = r->err};
    enum status st;

    if (!at)
        return STATUS_OK;
    if (yaml_node_kind(at) != YAML_MAPPING)
        return wrong(r, at, "price", "{input: N, cached: N, output: N}");
    st = yaml_check_keys(r->y, at, keys, ARRAY_LEN(keys), r->err);
    if (!st)
        st = read_number(&in, "input", &s->price_input);
    if (!st)
        st = read_number(&in, "cached", &s->price_cached);
    if (!st)
        st = read_number(&in, "output", &s->price_output);
    if (!st && (s->price_input < 0 || s->price_output < 0))
        st = yaml_error(r->err, r->y, at, "`price` needs both `input` and `output`");
    return st;
}

static bool is_field_name(const char *name)
{
    return *name &&
           strspn(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
                        "UVWXYZ") == strlen(name);
}

/* Fields that the client sets itself. */
static bool is_ours(const char *name)
{
    static const char *const ours[] = {
        "host",   "content-length", "content-type", "connection", "transfer-encoding",
        "accept", "authorization",  "expect",       "upgrade"};

    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (strcasecmp(name, ours[i]) == 0)
            return true;
    return false;
}

static void note_place(const struct reader *r, struct remote_spec *s, const char *name,
                       const struct yaml_node *at)
{
    struct str place = STR_INIT;

    if (!s->places)
        s->places = jv_object();
    str_printf(&place, "%s:%d:%d", yaml_name(r->y), yaml_line(at), yaml_column(at));
    jv_set_string(s->places, name, str_cstr(&place));
    str_deinit(&place);
}

static enum status read_key(const struct reader *r, struct remote_spec *s)
{
    enum status st = read_text(r, "key", &s->key);

    if (!st && s->key)
        note_place(r, s, "authorization", yaml_get(r->map, "key"));
    return st;
}

static enum status read_headers(const struct reader *r, struct remote_spec *s)
{
    const struct yaml_node *at = yaml_get(r->map, "headers");

    if (!at)
        return STATUS_OK;
    if (yaml_node_kind(at) != YAML_MAPPING)
        return wrong(r, at, "headers", "a mapping of names to texts");
    for (size_t i = 0; i < yaml_size(at); i++) {
        const struct yaml_node *key, *value;
        const char *name = yaml_key_at(at, i, &key, &value);

        if (!is_field_name(name))
            return yaml_error(r->err, r->y, key, "\"%.64s\" is not a name of a header", name);
        if (is_ours(name))
            return yaml_error(r->err, r->y, key, "the header \"%.64s\" cannot be set here%s", name,
                              strcasecmp(name, "authorization") == 0 ? "; use `key`" : "");
        if (yaml_node_kind(value) != YAML_SCALAR || strpbrk(yaml_text_of(value), "\r\n"))
            return wrong(r, value, name, "one line of text");
    }
    s->headers = jv_object();
    for (size_t i = 0; i < yaml_size(at); i++) {
        const struct yaml_node *key, *value;
        const char *name = yaml_key_at(at, i, &key, &value);

        jv_set_string(s->headers, name, yaml_text_of(value));
        note_place(r, s, name, value);
    }
    return STATUS_OK;
}

static enum status read_body(const struct reader *r, struct remote_spec *s)
{
    static const char *const ours[] = {"model", "messages", "tools", "stream"};
    const struct yaml_node *at = yaml_get(r->map, "body"), *key, *value;

    if (!at)
        return STATUS_OK;
    if (yaml_node_kind(at) != YAML_MAPPING)
        return wrong(r, at, "body", "a mapping of members to add to each request");
    for (size_t i = 0; i < yaml_size(at); i++) {
        const char *name = yaml_key_at(at, i, &key, &value);

        for (size_t k = 0; k < ARRAY_LEN(ours); k++)
            if (strcmp(name, ours[k]) == 0)
                return yaml_error(r->err, r->y, key,
                                  "`body` cannot have \"%s\": each request has "
                                  "its own",
                                  name);
    }
    s->body = yaml_to_json(at);
    return STATUS_OK;
}

static enum status read_words(const struct reader *r, struct remote_spec *s)
{
    static const char *const reasoning[] = {"none", "reasoning_content", "reasoning"};
    static const char *const ids[] = {"none", "vllm", "sglang"};
    int word = 0;
    enum status st = read_word(r, "reasoning", reasoning, ARRAY_LEN(reasoning), &word);

    s->reasoning = (enum remote_reasoning)word;
    word = 0;
    if (!st)
        st = read_word(r, "ids", ids, ARRAY_LEN(ids), &word);
    s->ids = (enum remote_ids)word;
    return st;
}

static enum status read_limits(const struct reader *r, struct remote_spec *s)
{
    enum status st = read_count(r, "context", 1 << 28, &s->context);

    if (!st)
        st = read_count(r, "max_concurrent", 10000, &s->max_concurrent);
    if (!st)
        st = read_count(r, "max_tries", 20, &s->max_tries);
    if (!st)
        st = read_time(r, "first_byte", &s->first_byte_ms);
    if (!st)
        st = read_time(r, "idle", &s->idle_ms);
    if (!st)
        st = read_time(r, "timeout", &s->timeout_ms);
    if (!st)
        st = read_bool(r, "strict_schema", &s->strict_schema);
    if (!st)
        st = read_bool(r, "stream", &s->stream);
    return st ? st : read_bool(r, "max_completion_tokens", &s->max_completion_tokens);
}

static enum status read_url(const struct reader *r, struct remote_spec *s)
{
    const struct yaml_node *at = yaml_get(r->map, "url");
    char *text = NULL;
    struct error why = ERROR_INIT;
    enum status st;

    if (!at)
        return yaml_error(r->err, r->y, r->map,
                          "a remote model needs `url`, as in "
                          "https://api.example.com/v1");
    st = read_text(r, "url", &text);
    if (!st && remote_spec_set_url(s, text, &why)) {
        st = yaml_error(r->err, r->y, at, "`url`: %s", why.message);
        error_hint(r->err, "%s", why.hint);
    }
    free(text);
    return st;
}

static enum status read_entry(const struct reader *r, struct remote_spec *s)
{
    static const char *const keys[] = {
        "url",         "model",          "key",       "headers",
        "body",        "price",          "context",   "ids",
        "reasoning",   "max_concurrent", "max_tries", "first_byte",
        "idle",        "strict_schema",  "stream",    "max_completion_tokens",
        "allow_local", "timeout"};
    enum status st = yaml_check_keys(r->y, r->map, keys, ARRAY_LEN(keys), r->err);

    if (!st)
        st = read_bool(r, "allow_local", &s->allow_local);
    if (!st)
        st = read_url(r, s);
    if (!st && !yaml_get(r->map, "model"))
        st = yaml_error(r->err, r->y, r->map,
                        "a remote model needs `model`: its name at the server");
    if (!st)
        st = read_text(r, "model", &s->model);
    if (!st)
        st = read_key(r, s);
    if (!st)
        st = read_headers(r, s);
    if (!st)
        st = read_body(r, s);
    if (!st)
        st = read_price(r, s);
    if (!st)
        st = read_limits(r, s);
    return st ? st : read_words(r, s);
}

enum status remote_spec_from_yaml(const struct yaml *y, const struct yaml_node *node,
                                  struct remote_spec *out, struct error *err)
{
    struct reader r = {.y = y, .map = node, .err = err};
    struct remote_spec s;
    enum status st;

    if (yaml_node_kind(node) != YAML_MAPPING)
        return yaml_error(err, y, node, "a remote model is a mapping with `url` and `model`");
    remote_spec_init(&s);
    st = read_entry(&r, &s);
    if (st) {
        remote_spec_deinit(&s);
        return st;
    }
    *out = s;
    return STATUS_OK;
}
