/* remote_spec.c - defaults of a specification, "URL#NAME", and what a URL allows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "models/remote/remote_spec_internal.h"
#include "runtime/base/memory.h"
#include "runtime/http/http_url.h"

void remote_spec_init(struct remote_spec *s)
{
    *s = (struct remote_spec){
        .price_input = -1, .price_cached = -1, .price_output = -1, .stream = true};
}

void remote_spec_deinit(struct remote_spec *s)
{
    free(s->url);
    free(s->model);
    free(s->key);
    free(s->folder);
    jv_unref(s->headers);
    jv_unref(s->places);
    jv_unref(s->body);
    *s = (struct remote_spec){.url = NULL};
}

static char *copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

void remote_spec_copy(const struct remote_spec *s, struct remote_spec *out)
{
    *out = *s;
    out->url = copy(s->url);
    out->model = copy(s->model);
    out->key = copy(s->key);
    out->folder = copy(s->folder);
    out->headers = s->headers ? jv_deep_copy(s->headers) : NULL;
    out->places = s->places ? jv_deep_copy(s->places) : NULL;
    out->body = s->body ? jv_deep_copy(s->body) : NULL;
}

/* Does the URL itself say that the server is on this machine or network? */
static bool names_local(const struct http_url *u)
{
    size_t n = strlen(u->host);

    return u->host_is_address || strcmp(u->host, "localhost") == 0 ||
           (n > 10 && strcmp(u->host + n - 10, ".localhost") == 0);
}

enum status remote_spec_set_url(struct remote_spec *s, const char *text, struct error *err)
{
    static const char path[] = "/chat/completions";
    size_t n = strlen(text), tail = sizeof(path) - 1;
    struct http_url u;
    enum status st;

    while (n > 0 && text[n - 1] == '/')
        n--;
    if (n > tail && memcmp(text + n - tail, path, tail) == 0)
        n -= tail; /* the whole address, as documents of servers show it */
    free(s->url);
    s->url = xstrndup(text, n);
    st = http_url_parse(s->url, &u, err);
    if (st)
        return st;
    if (strchr(u.target, '?'))
        st = error_set(err, STATUS_USAGE, "the address of a model's server has no query");
    s->allow_local = s->allow_local || names_local(&u);
    if (!st && !u.is_https && !s->allow_local) {
        st = error_set(err, STATUS_USAGE, "%s is not encrypted", s->url);
        error_hint(err, "use https; for a server in your own network, set `allow_local: true` in "
                        "its entry of `models:`");
    }
    http_url_deinit(&u);
    return st;
}

enum status remote_spec_from_name(const char *name, struct remote_spec *out, struct error *err)
{
    const char *hash = strchr(name, '#');
    struct remote_spec s;
    char *url;
    enum status st;

    if (!hash || hash[1] == '\0')
        return error_set(err, STATUS_USAGE,
                         "\"%.200s\" names no model of the server; expected URL#NAME, as in "
                         "http://127.0.0.1:8000/v1#NAME",
                         name);
    remote_spec_init(&s);
    url = xstrndup(name, (size_t)(hash - name));
    st = remote_spec_set_url(&s, url, err);
    free(url);
    if (st) {
        remote_spec_deinit(&s);
        return st;
    }
    s.model = xstrdup(hash + 1);
    *out = s;
    return STATUS_OK;
}
