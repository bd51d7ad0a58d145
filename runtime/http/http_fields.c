/* http_fields.c - header fields copied into one growing text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/http/http_fields.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

void http_fields_init(struct http_fields *f)
{
    *f = (struct http_fields){.n = 0};
    str_init(&f->text, HTTP_FIELDS_BYTES_MAX);
}

void http_fields_deinit(struct http_fields *f)
{
    str_deinit(&f->text);
    free(f->list);
    f->list = NULL;
}

void http_fields_clear(struct http_fields *f)
{
    str_clear(&f->text);
    f->n = 0;
}

/* token of RFC 9110, 5.6.2 */
static bool is_token(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';

        if (!letter && !(c >= '0' && c <= '9') && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return n > 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool trim(const char **s, size_t *n)
{
    while (*n > 0 && is_blank((*s)[0])) {
        (*s)++;
        (*n)--;
    }
    while (*n > 0 && is_blank((*s)[*n - 1]))
        (*n)--;
    for (size_t i = 0; i < *n; i++)
        if (((unsigned char)(*s)[i] < 0x20 && (*s)[i] != '\t') || (*s)[i] == 0x7f)
            return false;
    return true;
}

static enum status check_space(struct http_fields *f, size_t more, struct error *err)
{
    if (f->n >= HTTP_FIELDS_N_MAX || more > HTTP_FIELDS_BYTES_MAX - f->text.len)
        return error_set(err, STATUS_LIMIT, "more than %d header fields or %zu bytes of them",
                         HTTP_FIELDS_N_MAX, HTTP_FIELDS_BYTES_MAX);
    return STATUS_OK;
}

static enum status check_memory(const struct http_fields *f, struct error *err)
{
    return str_ok(&f->text) ? STATUS_OK
                            : error_set(err, STATUS_NO_MEMORY, "no memory for header fields");
}

enum status http_fields_add(struct http_fields *f, const char *name, size_t name_bytes,
                            const char *value, size_t value_bytes, struct error *err)
{
    enum status st;

    if (!is_token(name, name_bytes))
        return error_set(err, STATUS_INVALID, "the name of a header field is not a token: \"%.*s\"",
                         (int)(name_bytes < 64 ? name_bytes : 64), name);
    if (!trim(&value, &value_bytes)) /* the value may be a secret */
        return error_set(err, STATUS_INVALID,
                         "the value of the header field %.*s contains a control character",
                         (int)(name_bytes < 64 ? name_bytes : 64), name);
    st = check_space(f, name_bytes + value_bytes + 2, err);
    if (st)
        return st;
    for (size_t i = 0; i < name_bytes; i++)
        str_putc(&f->text, name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20) : name[i]);
    str_putc(&f->text, '\0');
    str_append(&f->text, value, value_bytes);
    str_putc(&f->text, '\0');
    f->n++;
    return check_memory(f, err);
}

enum status http_fields_continue(struct http_fields *f, const char *value, size_t n,
                                 struct error *err)
{
    enum status st = STATUS_OK;

    if (f->n == 0 || !trim(&value, &n))
        return error_set(err, STATUS_INVALID, "a header field contains a control character");
    st = check_space(f, n + 1, err);
    if (st)
        return st;
    f->text.data[f->text.len - 1] = ' ';
    str_append(&f->text, value, n);
    str_putc(&f->text, '\0');
    return check_memory(f, err);
}

const struct http_field *http_fields_list(struct http_fields *f)
{
    const char *at = str_cstr(&f->text);
    void *list = f->list;

    if (!mem_grow(&list, (size_t)f->n + 1, sizeof(*f->list)))
        return NULL;
    f->list = list;
    for (int32_t i = 0; i < f->n; i++) {
        f->list[i].name = at;
        at += strlen(at) + 1;
        f->list[i].value = at;
        at += strlen(at) + 1;
    }
    return f->list;
}

void http_fields_drop_content(struct http_fields *f)
{
    size_t to = 0, from = 0;
    int32_t n = 0;

    for (int32_t i = 0; i < f->n; i++) {
        const char *name = f->text.data + from;
        size_t bytes = strlen(name) + 1;

        bytes += strlen(name + bytes) + 1;
        from += bytes;
        if (strncmp(name, "content-", 8) == 0)
            continue;
        memmove(f->text.data + to, name, bytes);
        to += bytes;
        n++;
    }
    f->text.len = to;
    f->n = n;
}
