/* serve_route.c - from the path of a request to the function of route.def.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/serve/serve_note.h"
#include "runtime/serve/serve_oauth.h"

static const struct route all[] = {
#define ROUTE(method, path, scopes, max_body, fn) {HTTP_##method, path, scopes, max_body, fn},
#include "runtime/serve/route.def"
#undef ROUTE
};

const struct route *serve_route_at(int32_t id)
{
    return id > 0 && id <= (int32_t)ARRAY_LEN(all) ? &all[id - 1] : NULL;
}

/* The texts of the parts, NUL-terminated in one buffer. */
struct parts {
    const char *text[ROUTE_PARTS];
    char buffer[2048];
    size_t used;
};

static bool keep_part(struct parts *p, int32_t i, const char *text, size_t n)
{
    if (n == 0 || p->used + n + 1 > sizeof(p->buffer))
        return false;
    memcpy(p->buffer + p->used, text, n);
    p->buffer[p->used + n] = 0;
    p->text[i] = p->buffer + p->used;
    p->used += n + 1;
    return true;
}

/* Does the path fit the pattern? Fills the parts. */
static bool fits(const char *pattern, const char *path, struct parts *p)
{
    int32_t n = 0;

    p->used = 0;
    while (*pattern && *path) {
        const char *end;

        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        end = strchr(pattern, '}');
        if (end[-1] == '.') /* {rest...} */
            return keep_part(p, n, path, strlen(path));
        if (!keep_part(p, n++, path, strcspn(path, "/")))
            return false;
        path += strcspn(path, "/");
        pattern = end + 1;
    }
    return !*pattern && !*path;
}

static enum http_method method_of(const struct http_request *q)
{
    return q->method == HTTP_HEAD ? HTTP_GET : q->method;
}

/* NULL: none. *others is set to the methods that the path has. */
static const struct route *find(const struct http_request *q, struct parts *p, uint32_t *others)
{
    *others = 0;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (!fits(all[i].path, q->path, p))
            continue;
        if (all[i].method == method_of(q))
            return &all[i];
        *others |= 1u << all[i].method;
    }
    return NULL;
}

/* "GET, POST", in a text that stays. */
static const char *allow_text(uint32_t methods)
{
    static const char *const text[] = {
        [1u << HTTP_GET] = "GET, HEAD",
        [1u << HTTP_POST] = "POST",
        [1u << HTTP_GET | 1u << HTTP_POST] = "GET, HEAD, POST",
        [1u << HTTP_DELETE] = "DELETE",
        [1u << HTTP_GET | 1u << HTTP_DELETE] = "GET, HEAD, DELETE",
        [1u << HTTP_GET | 1u << HTTP_POST | 1u << HTTP_DELETE] = "GET, HEAD, POST, DELETE",
    };

    return methods < ARRAY_LEN(text) && text[methods] ? text[methods] : "";
}

struct http_route serve_route(void *serve, const struct http_request *q)
{
    struct parts parts;
    uint32_t others;
    const struct route *r = find(q, &parts, &others);

    (void)serve;
    if (r)
        return (struct http_route){
            .max_body = r->max_body, .is_open = r->scopes == 0, .id = (int32_t)(r - all) + 1};
    if (others)
        return (struct http_route){.reject = 405,
                                   .message = "the path does not have this method",
                                   .allow = allow_text(others)};
    return (struct http_route){.reject = 404, .message = "there is nothing at this path"};
}

/* 401 or 403: the token is not for this route. */
static bool may_call(struct serve *s, struct http_call *c, const struct route *r)
{
    const char *name = http_call_request(c)->subject;
    unsigned scopes = s->tokens && r->scopes ? serve_access_scopes(s, name) : r->scopes;
    struct str text = STR_INIT;

    if (r->scopes == 0 || (scopes & r->scopes))
        return true;
    if (scopes == 0) { /* since the head of the request was read */
        http_call_fail(c, 401, "the token was revoked");
        return false;
    }
    str_printf(&text, "the token %s does not have the scope ", name);
    token_scopes_put(r->scopes, &text);
    str_puts(&text, ", which this path needs");
    http_call_fail(c, 403, str_cstr(&text));
    str_deinit(&text);
    return false;
}

void serve_dispatch(void *serve, struct http_call *c)
{
    struct serve *s = serve;
    const struct http_request *q = http_call_request(c);
    struct parts parts;
    uint32_t others;
    const struct route *r = find(q, &parts, &others);

    if (r)
        serve_note_begin(s, c, r);
    if (!r)
        http_call_fail(c, 404, "there is nothing at this path");
    else if (may_call(s, c, r))
        r->fn(s, c, parts.text);
}
