/* jinja_print.c - values as text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/jinja_print.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/utf8.h"

#define MAX_DEPTH 100

static void put_real(struct str *out, double d, const char *nan, const char *inf)
{
    if (isnan(d))
        str_puts(out, nan);
    else if (isinf(d))
        str_printf(out, "%s%s", d < 0 ? "-" : "", inf);
    else
        str_put_double(out, d);
}

/* Single quotes, unless there are some inside and no double ones. */
static void put_quoted(struct str *out, struct jinja_text t)
{
    const bool single = t.n > 0 && memchr(t.p, '\'', t.n) != NULL;
    const bool both = single && memchr(t.p, '"', t.n) != NULL;
    const char quote = single && !both ? '"' : '\'';

    str_putc(out, quote);
    for (size_t i = 0; i < t.n; i++) {
        const unsigned char c = (unsigned char)t.p[i];

        if (c == '\n' || c == '\r' || c == '\t')
            str_printf(out, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
        else if (c == '\\' || c == (unsigned char)quote)
            str_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            str_printf(out, "\\x%02x", c);
        else
            str_putc(out, (char)c);
    }
    str_putc(out, quote);
}

static void put_at(struct jinja_run *run, struct str *out, const struct jinja_value *v, bool quoted,
                   int depth);

static void put_list(struct jinja_run *run, struct str *out, const struct jinja_list *l, int depth)
{
    str_putc(out, l->tuple ? '(' : '[');
    for (size_t i = 0; i < l->n && run->st == STATUS_OK && str_ok(out); i++) {
        str_puts(out, i ? ", " : "");
        put_at(run, out, &l->item[i], true, depth + 1);
    }
    str_puts(out, l->tuple && l->n == 1 ? ",)" : l->tuple ? ")" : "]");
}

static void put_at(struct jinja_run *run, struct str *out, const struct jinja_value *v, bool quoted,
                   int depth)
{
    if (depth > MAX_DEPTH) {
        str_puts(out, "...");
        return;
    }
    if (!jinja_spend(run, 1 + (v->type == JT_STRING ? v->as.text.n / 64 : 0)))
        return;
    switch (v->type) {
    case JT_UNDEFINED:
        if (quoted)
            str_puts(out, "Undefined");
        return;
    case JT_NONE:
        str_puts(out, "None");
        return;
    case JT_BOOL:
        str_puts(out, v->as.truth ? "True" : "False");
        return;
    case JT_INT:
        str_put_i64(out, v->as.integer);
        return;
    case JT_FLOAT:
        put_real(out, v->as.real, "nan", "inf");
        return;
    case JT_STRING:
        if (quoted)
            put_quoted(out, v->as.text);
        else
            str_append(out, v->as.text.p, v->as.text.n);
        return;
    case JT_LIST:
        put_list(run, out, v->as.list, depth);
        return;
    case JT_DICT:
    case JT_NAMESPACE:
        str_putc(out, '{');
        for (size_t i = 0; i < v->as.dict->n && run->st == STATUS_OK && str_ok(out); i++) {
            str_puts(out, i ? ", " : "");
            put_at(run, out, &v->as.dict->member[i].key, true, depth + 1);
            str_puts(out, ": ");
            put_at(run, out, &v->as.dict->member[i].value, true, depth + 1);
        }
        str_putc(out, '}');
        return;
    default:
        str_printf(out, "<%s>", jinja_type_name(v->type));
        return;
    }
}

void jinja_put_value(struct jinja_run *run, struct str *out, const struct jinja_value *v)
{
    put_at(run, out, v, false, 0);
}

struct jinja_value jinja_to_text(struct jinja_run *run, const struct jinja_value *v)
{
    struct str s;

    if (v->type == JT_STRING)
        return *v;
    str_init(&s, CHAT_MAX_OUTPUT);
    jinja_put_value(run, &s, v);
    return jinja_take_text(run, &s);
}

static void put_json_text(struct str *out, struct jinja_text t, bool ascii)
{
    struct str s;
    size_t i = 0;

    if (!ascii) {
        str_put_json_string(out, t.p, t.n);
        return;
    }
    str_init(&s, 6 * t.n + 2);
    str_put_json_string(&s, t.p, t.n);
    while (i < s.len && str_ok(out)) {
        const uint32_t c = utf8_next(s.data, s.len, &i);

        if (c < 0x80)
            str_putc(out, (char)c);
        else if (c < 0x10000)
            str_printf(out, "\\u%04x", c);
        else
            str_printf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                       0xdc00 + ((c - 0x10000) & 0x3ff));
    }
    str_deinit(&s);
}

struct json_out {
    struct jinja_run *run;
    struct str *out;
    const struct jinja_json_style *style;
};

static bool put_json_at(const struct json_out *o, const struct jinja_value *v, int depth);

static void new_line(const struct json_out *o, int depth)
{
    if (o->style->indent < 0)
        return;
    str_putc(o->out, '\n');
    for (int i = 0; i < o->style->indent * depth && str_ok(o->out); i++)
        str_putc(o->out, ' ');
}

static void put_separator(const struct json_out *o, struct jinja_text s)
{
    str_append(o->out, s.p, s.n);
}

static bool put_json_list(const struct json_out *o, const struct jinja_list *l, int depth)
{
    if (l->n == 0) {
        str_puts(o->out, "[]");
        return true;
    }
    str_putc(o->out, '[');
    for (size_t i = 0; i < l->n && str_ok(o->out); i++) {
        if (i)
            put_separator(o, o->style->item_separator);
        new_line(o, depth + 1);
        if (!put_json_at(o, &l->item[i], depth + 1))
            return false;
    }
    new_line(o, depth);
    str_putc(o->out, ']');
    return true;
}

static int by_key(const void *a, const void *b)
{
    const struct jinja_text x = (*(const struct jinja_member *const *)a)->key.as.text;
    const struct jinja_text y = (*(const struct jinja_member *const *)b)->key.as.text;
    const size_t n = x.n < y.n ? x.n : y.n;
    const int order = n ? memcmp(x.p, y.p, n) : 0;

    return order ? order : (x.n > y.n) - (x.n < y.n);
}

static bool put_json_members(const struct json_out *o, const struct jinja_member **member, size_t n,
                             int depth)
{
    for (size_t i = 0; i < n && str_ok(o->out); i++) {
        if (i)
            put_separator(o, o->style->item_separator);
        new_line(o, depth + 1);
        put_json_text(o->out, member[i]->key.as.text, o->style->ensure_ascii);
        put_separator(o, o->style->key_separator);
        if (!put_json_at(o, &member[i]->value, depth + 1))
            return false;
    }
    return true;
}

static bool put_json_dict(const struct json_out *o, const struct jinja_dict *d, int depth)
{
    const struct jinja_member **member;
    size_t key_bytes = 0, rounds = 0;
    bool ok;

    if (d->n == 0) {
        str_puts(o->out, "{}");
        return true;
    }
    member = mem_alloc(d->n, sizeof(*member));
    if (member == NULL)
        return false;
    ok = true;
    for (size_t i = 0; i < d->n; i++) {
        member[i] = &d->member[i];
        ok = ok && member[i]->key.type == JT_STRING &&
             jinja_spend(o->run, 1 + member[i]->key.as.text.n / 64);
        key_bytes += ok ? member[i]->key.as.text.n : 0;
    }
    while (o->style->sort_keys && d->n >> rounds)
        rounds++;
    ok = ok && jinja_spend(o->run, rounds * (d->n + key_bytes / 64));
    if (ok && o->style->sort_keys)
        qsort(member, d->n, sizeof(*member), by_key);
    str_putc(o->out, '{');
    ok = ok && put_json_members(o, member, d->n, depth);
    free(member);
    new_line(o, depth);
    str_putc(o->out, '}');
    return ok;
}

static bool put_json_at(const struct json_out *o, const struct jinja_value *v, int depth)
{
    if (depth > MAX_DEPTH ||
        !jinja_spend(o->run, 1 + (v->type == JT_STRING ? v->as.text.n / 64 : 0)))
        return false;
    switch (v->type) {
    case JT_NONE:
        str_puts(o->out, "null");
        return true;
    case JT_BOOL:
        str_puts(o->out, v->as.truth ? "true" : "false");
        return true;
    case JT_INT:
        str_put_i64(o->out, v->as.integer);
        return true;
    case JT_FLOAT:
        put_real(o->out, v->as.real, "NaN", "Infinity");
        return true;
    case JT_STRING:
        put_json_text(o->out, v->as.text, o->style->ensure_ascii);
        return true;
    case JT_LIST:
        return put_json_list(o, v->as.list, depth);
    case JT_DICT:
        return put_json_dict(o, v->as.dict, depth);
    default:
        return false;
    }
}

bool jinja_put_json(struct jinja_run *run, struct str *out, const struct jinja_value *v,
                    const struct jinja_json_style *style)
{
    const struct json_out o = {run, out, style};

    return put_json_at(&o, v, 0);
}
