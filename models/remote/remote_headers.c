/* remote_headers.c - see remote_headers.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/remote/remote_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/config/secret.h"

#define PART_BYTES 8 /* parts of a secret that are masked */

void remote_headers_deinit(struct remote_headers *h)
{
    for (int32_t i = 0; i < h->n; i++) {
        if (h->secret[i])
            explicit_bzero(h->value[i], strlen(h->value[i]));
        free(h->value[i]);
    }
    free(h->fields);
    free(h->value);
    free(h->secret);
    *h = (struct remote_headers){.n = 0};
}

static void add(struct remote_headers *h, const char *name, const char *prefix, const char *value,
                bool secret)
{
    struct str text = STR_INIT;

    str_printf(&text, "%s%s", prefix, value);
    h->value[h->n] = str_take(&text);
    h->secret[h->n] = secret;
    h->fields[h->n] = (struct http_field){.name = name, .value = h->value[h->n]};
    h->n++;
}

/* A value from the configuration. */
static enum status add_value(struct remote_headers *h, const struct remote_spec *spec,
                             const char *name, const char *prefix, const char *text, bool secret,
                             struct error *err)
{
    struct str value = STR_INIT;
    enum status st = secret_resolve(text, spec->folder, &value, err);

    if (!st && strpbrk(str_cstr(&value), "\r\n"))
        st = error_set(err, STATUS_FAILED, "the value of %.60s has a line break", text);
    if (!st)
        add(h, name, prefix, str_cstr(&value), secret || secret_is_reference(text));
    else if (err)
        err->status = STATUS_FAILED;
    if (value.data)
        explicit_bzero(value.data, value.len);
    str_deinit(&value);
    return st ? STATUS_FAILED : STATUS_OK;
}

static void add_trace(struct remote_headers *h, const struct remote_spec *spec,
                      const struct trace_context *trace)
{
    char text[TRACEPARENT_BYTES + 1];

    if (!trace_context_is_set(trace) || jv_get(spec->headers, "traceparent"))
        return;
    trace_context_write(trace, text);
    add(h, "traceparent", "", text, false);
}

enum status remote_headers_build(const struct remote_spec *spec, const struct trace_context *trace,
                                 struct remote_headers *out, struct error *err)
{
    size_t most = 4 + jv_size(spec->headers);
    struct remote_headers h = {.fields = xcalloc(most, sizeof(*h.fields)),
                               .value = xcalloc(most, sizeof(*h.value)),
                               .secret = xcalloc(most, sizeof(*h.secret))};
    enum status st = STATUS_OK;
    const char *name;
    struct json *value;

    add(&h, "content-type", "", "application/json", false);
    add(&h, "accept", "", "application/json, text/event-stream", false);
    add_trace(&h, spec, trace);
    if (spec->key)
        st = add_value(&h, spec, "authorization", "Bearer ", spec->key, true, err);
    for (void *it = NULL; !st && (it = jv_next(spec->headers, it, &name, &value));)
        st = add_value(&h, spec, name, "", jv_get_string(value, ""), false, err);
    if (st) {
        remote_headers_deinit(&h);
        return st;
    }
    *out = h;
    return STATUS_OK;
}

enum status remote_headers_check(const struct remote_spec *spec, struct error *err)
{
    struct str value = STR_INIT;
    const char *name = "authorization";
    struct json *text;
    enum status st = spec->key ? secret_resolve(spec->key, spec->folder, &value, err) : STATUS_OK;

    for (void *it = NULL; !st && (it = jv_next(spec->headers, it, &name, &text));)
        st = secret_resolve(jv_get_string(text, ""), spec->folder, &value, err);
    if (st && err)
        (void)snprintf(err->where, sizeof(err->where), "%s",
                       jv_get_string(jv_get(spec->places, name), err->where));
    if (value.data)
        explicit_bzero(value.data, value.len);
    str_deinit(&value);
    return st;
}

/* Bytes at `text` that are anywhere in the secret, in one piece. */
static size_t part_of(const char *text, const char *secret)
{
    size_t best = 0;

    for (const char *s = secret; *s; s++) {
        size_t n = 0;

        while (s[n] && text[n] == s[n])
            n++;
        if (n > best)
            best = n;
    }
    return best;
}

static void mask(char *text, const char *secret)
{
    size_t whole = strlen(secret), least = whole < PART_BYTES ? whole : PART_BYTES;

    if (whole < 4)
        return; /* would hide words */
    while (*text) {
        size_t n = part_of(text, secret);

        if (n >= least)
            memset(text, '*', n);
        text += n >= least ? n : 1;
    }
}

const char *remote_headers_secret(const struct remote_headers *h, int32_t i)
{
    const char *value = h->value[i];

    if (!h->secret[i])
        return NULL;
    return strncmp(value, "Bearer ", 7) == 0 ? value + 7 : value;
}

void remote_headers_mask(const struct remote_headers *h, struct error *err)
{
    for (int32_t i = 0; i < h->n && err; i++) {
        const char *value = remote_headers_secret(h, i);

        if (!value)
            continue;
        mask(err->message, value);
        mask(err->where, value);
        mask(err->hint, value);
    }
}
