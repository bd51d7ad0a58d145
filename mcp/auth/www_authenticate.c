/* www_authenticate.c - see www_authenticate.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/www_authenticate.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/memory.h"

struct reader {
    const char *at;
    struct bearer_challenge *out;
    bool in_ours;   /* the parameters that follow are those of the challenge that counts */
    unsigned given; /* a bit for each known parameter */
    struct str value;
};

static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static void skip(struct reader *r, const char *set)
{
    r->at += strspn(r->at, set);
}

static size_t token_bytes(const char *text)
{
    size_t n = 0;

    while (is_token_char(text[n]))
        n++;
    return n;
}

static enum status broken(const char *what, struct error *err)
{
    return error_set(err, STATUS_INVALID, "the server's WWW-Authenticate field %s", what);
}

static enum status read_quoted(struct reader *r, struct error *err)
{
    for (r->at++; *r->at != '"'; r->at++) {
        if (*r->at == '\\')
            r->at++;
        if (!*r->at)
            return broken("has a quoted text without its end", err);
        if ((unsigned char)*r->at < 0x20 || *r->at == 0x7f)
            return broken("has a control character", err);
        str_putc(&r->value, *r->at);
    }
    r->at++;
    return STATUS_OK;
}

static enum status read_value(struct reader *r, struct error *err)
{
    size_t n;

    str_clear(&r->value);
    skip(r, " \t");
    if (*r->at == '"')
        return read_quoted(r, err);
    n = strcspn(r->at, "\", \t\\");
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)r->at[i] < 0x20 || r->at[i] == 0x7f)
            return broken("has a control character", err);
    if (n == 0)
        return broken("has a parameter without a value", err);
    str_append(&r->value, r->at, n);
    r->at += n;
    return STATUS_OK;
}

static enum status keep(struct reader *r, const char *name, size_t name_bytes, struct error *err)
{
    struct str *const to[] = {&r->out->resource_metadata, &r->out->scope, &r->out->problem};
    static const char *const known[] = {"resource_metadata", "scope", "error"};

    for (size_t i = 0; r->in_ours && i < ARRAY_LEN(known); i++) {
        if (strlen(known[i]) != name_bytes || strncasecmp(known[i], name, name_bytes) != 0)
            continue;
        if (r->given & 1U << i)
            return error_set(err, STATUS_INVALID,
                             "the server's WWW-Authenticate field has %s twice", known[i]);
        r->given |= 1U << i;
        str_append(to[i], str_cstr(&r->value), r->value.len);
    }
    return STATUS_OK;
}

static bool is_scheme(const char *scheme, size_t n, const char *name)
{
    return n == strlen(name) && strncasecmp(scheme, name, n) == 0;
}

/* A Bearer challenge takes the place of a DPoP one before it. */
static void begin_challenge(struct reader *r, const char *scheme, size_t n)
{
    struct bearer_challenge *out = r->out;

    r->in_ours = false;
    if (is_scheme(scheme, n, "Bearer")) {
        r->in_ours = !out->is_bearer;
        if (out->is_dpop) {
            str_clear(&out->resource_metadata);
            str_clear(&out->scope);
            str_clear(&out->problem);
            r->given = 0;
        }
        out->is_bearer = true;
        out->is_dpop = false;
    } else if (is_scheme(scheme, n, "DPoP")) {
        r->in_ours = !out->is_bearer && !out->is_dpop;
        out->is_dpop |= r->in_ours;
    } else if (!out->other[0]) {
        snprintf(out->other, sizeof(out->other), "%.*s", (int)(n < 31 ? n : 31), scheme);
    }
}

/* Is this name=value? "abc=" and "abc==" are a token68. */
static bool is_parameter(const char *at)
{
    size_t n = token_bytes(at);

    at += n + strspn(at + n, " \t");
    if (n == 0 || *at != '=')
        return false;
    at++;
    at += strspn(at, " \t");
    return *at && *at != ',' && *at != '=';
}

/* One element of the list: a scheme, with or without what belongs to it, or a parameter. */
static enum status read_element(struct reader *r, bool *in_challenge, struct error *err)
{
    const char *word = r->at;
    size_t n = token_bytes(word);
    enum status st;

    if (n == 0)
        return broken("is not a list of challenges", err);
    r->at += n;
    skip(r, " \t");
    if (*r->at != '=') { /* a scheme */
        begin_challenge(r, word, n);
        *in_challenge = true;
        if (!*r->at || *r->at == ',')
            return STATUS_OK;
        if (is_parameter(r->at))
            return read_element(r, in_challenge, err);
        r->at += strcspn(r->at, ", \t"); /* a token68 */
        return STATUS_OK;
    }
    if (!*in_challenge)
        return broken("begins with a parameter", err);
    r->at++;
    st = read_value(r, err);
    return st ? st : keep(r, word, n, err);
}

static enum status read_field(struct reader *r, struct error *err)
{
    bool in_challenge = false;

    for (;;) {
        enum status st;

        skip(r, " \t,");
        if (!*r->at)
            return STATUS_OK;
        st = read_element(r, &in_challenge, err);
        if (st)
            return st;
        skip(r, " \t");
        if (*r->at && *r->at != ',')
            return broken("has no comma between two parts", err);
    }
}

enum status bearer_challenge_read(const struct http_field *fields, int32_t n,
                                  struct bearer_challenge *out, struct error *err)
{
    struct reader r = {.out = out, .value = STR_INIT};
    enum status st = STATUS_OK;
    size_t bytes = 0;

    *out = (struct bearer_challenge){
        .resource_metadata = STR_INIT, .scope = STR_INIT, .problem = STR_INIT};
    for (int32_t i = 0; i < n && !st; i++) {
        if (strcmp(fields[i].name, "www-authenticate") != 0)
            continue;
        bytes += strlen(fields[i].value);
        r.at = fields[i].value;
        r.in_ours = false;
        st = bytes > WWW_BYTES_MAX ? broken("is too long", err) : read_field(&r, err);
    }
    if (!st && (!str_ok(&r.value) || !str_ok(&out->resource_metadata) || !str_ok(&out->scope) ||
                !str_ok(&out->problem)))
        st = error_set(err, STATUS_NO_MEMORY, "no memory for a challenge");
    str_deinit(&r.value);
    return st;
}

void bearer_challenge_deinit(struct bearer_challenge *c)
{
    str_deinit(&c->resource_metadata);
    str_deinit(&c->scope);
    str_deinit(&c->problem);
}

static void put_param(struct str *out, bool *more, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    str_printf(out, "%s %s=\"", *more ? "," : "", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            str_putc(out, '\\');
        str_putc(out, *value);
    }
    str_putc(out, '"');
    *more = true;
}

void bearer_challenge_put(struct str *out, const char *resource_metadata, const char *problem,
                          const char *scope)
{
    bool more = false;

    str_puts(out, "Bearer");
    put_param(out, &more, "resource_metadata", resource_metadata);
    put_param(out, &more, "error", problem);
    put_param(out, &more, "scope", scope);
}
