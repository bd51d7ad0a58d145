/* ledger_codec.c - the ledger's two languages: JSON values, and the compact text in which words
 * are one token each and all else is single bytes.
 *
 *   ORDd+7|GETd;>59|SETd66;>OK|CHECKd66;>YES66|UNDO;>OK|NEXT;>DONE|
 *
 * The model's part ends in ";", the environment's begins with ">" and ends in "|". Values are
 * always two digits, amounts one, so that each call has exactly one text and each text at most
 * one call. An order opens a fresh context, so its text has no ">". Nothing here allocates but
 * the JSON values and the caller's str.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "tools/environments/ledger.h"

struct word {
    const char *text;
    uint8_t len;
    bool has_key, has_value;
};

static const struct word words[LEDGER_N_TOOLS] = {
    [LEDGER_NEXT] = {"NEXT", 4, false, false}, [LEDGER_GET] = {"GET", 3, true, false},
    [LEDGER_SET] = {"SET", 3, true, true},     [LEDGER_UNDO] = {"UNDO", 4, false, false},
    [LEDGER_CHECK] = {"CHECK", 5, true, true},
};

static char *put(char *at, const char *text, size_t n)
{
    memcpy(at, text, n);
    return at + n;
}

static char *put_value(char *at, int32_t value)
{
    at[0] = (char)('0' + value / 10);
    at[1] = (char)('0' + value % 10);
    return at + 2;
}

static size_t finish(char *start, char *at, char terminator)
{
    at[0] = terminator;
    at[1] = '\0';
    return (size_t)(at - start) + 1;
}

size_t ledger_order_text(struct ledger_order order, char out[LEDGER_TEXT])
{
    char *at = put(out, "ORD", 3);

    *at++ = (char)('a' + order.key);
    *at++ = order.delta < 0 ? '-' : '+';
    *at++ = (char)('0' + (order.delta < 0 ? -order.delta : order.delta));
    return finish(out, at, '|');
}

size_t ledger_reply_text(const struct ledger *l, const struct ledger_reply *r,
                         char out[LEDGER_TEXT])
{
    char *at = put(out, ">", 1);

    switch (r->kind) {
    case LEDGER_SAY_ORDER:
        return ledger_order_text(l->order, out);
    case LEDGER_SAY_DONE:
        at = put(at, "DONE", 4);
        break;
    case LEDGER_SAY_VALUE:
        at = put_value(at, r->value);
        break;
    case LEDGER_SAY_OK:
        at = put(at, "OK", 2);
        break;
    case LEDGER_SAY_MATCH:
        at = r->match ? put(at, "YES", 3) : put(at, "NO", 2);
        at = put_value(at, r->value);
        break;
    case LEDGER_SAY_ERROR:
        at = put(at, "ERR", 3);
        break;
    }
    return finish(out, at, '|');
}

size_t ledger_call_text(const struct env_call *c, char out[LEDGER_TEXT])
{
    const struct word *w;
    char *at = out;

    if (c->tool < 0 || c->tool >= LEDGER_N_TOOLS)
        return finish(out, put(out, "ERR", 3), ';');
    w = &words[c->tool];
    at = put(at, w->text, w->len);
    if (w->has_key)
        *at++ = c->arg[0].text[0];
    if (w->has_value)
        at = put_value(at, ledger_wrap((int32_t)(c->arg[1].number % LEDGER_VALUES)));
    return finish(out, at, ';');
}

void ledger_render_call(const struct env_call *c, struct str *out)
{
    char text[LEDGER_TEXT];
    size_t n = ledger_call_text(c, text);

    str_append(out, text, n);
}

static bool digit(char c, int32_t *out)
{
    *out = c - '0';
    return c >= '0' && c <= '9';
}

/* What follows the tool's word, terminator included, is of exactly one length. */
static bool parse_rest(const struct word *w, const char *at, size_t n, struct env_call *out)
{
    int32_t tens, ones;

    if (n != (w->has_key ? 1U : 0U) + (w->has_value ? 2U : 0U) + 1 || at[n - 1] != ';')
        return false;
    if (w->has_key) {
        if (*at < 'a' || *at >= 'a' + LEDGER_KEYS)
            return false;
        out->arg[0].is_text = true;
        out->arg[0].text[0] = *at++;
    }
    if (w->has_value) {
        if (!digit(at[0], &tens) || !digit(at[1], &ones))
            return false;
        out->arg[1].number = 10 * tens + ones;
    }
    return true;
}

void ledger_parse_compact(const struct env *e, const char *text, size_t n, struct env_call *out)
{
    (void)e;
    *out = (struct env_call){.tool = -1};
    for (int32_t t = 0; t < LEDGER_N_TOOLS; t++) {
        const struct word *w = &words[t];

        if (n <= w->len || memcmp(text, w->text, w->len) != 0)
            continue;
        if (parse_rest(w, text + w->len, n - w->len, out))
            out->tool = t;
        else
            *out = (struct env_call){.tool = -1};
        return; /* no word begins another */
    }
}

void ledger_call_compact(struct env *e, const struct env_call *c, struct env_effect *fx,
                         struct str *out)
{
    struct ledger_reply reply;
    char text[LEDGER_TEXT];
    size_t n;

    ledger_apply(ledger_of(e), c, &reply, fx);
    n = ledger_reply_text(ledger_of(e), &reply, text);
    str_append(out, text, n);
}

void ledger_observe_compact(struct env *e, struct str *out)
{
    const struct ledger *l = ledger_of(e);
    struct ledger_reply reply = {.kind = l->done ? LEDGER_SAY_DONE : LEDGER_SAY_ORDER};
    char text[LEDGER_TEXT];
    size_t n = ledger_reply_text(l, &reply, text);

    str_append(out, text, n);
}

static struct json *order_json(const struct ledger *l)
{
    const char key[2] = {(char)('a' + l->order.key), '\0'};
    struct json *order = jv_object();
    struct json *v = jv_object();

    jv_set_string(order, "key", key);
    jv_set_string(order, "op", l->order.delta < 0 ? "-" : "+");
    jv_set_int(order, "amount", l->order.delta < 0 ? -l->order.delta : l->order.delta);
    jv_set_adopt(v, "order", order);
    return v;
}

static struct json *reply_json(const struct ledger *l, const struct ledger_reply *r)
{
    struct json *v;

    if (r->kind == LEDGER_SAY_ORDER)
        return order_json(l);
    v = jv_object();
    switch (r->kind) {
    case LEDGER_SAY_DONE:
        jv_set_bool(v, "done", true);
        break;
    case LEDGER_SAY_VALUE:
        jv_set_int(v, "value", r->value);
        break;
    case LEDGER_SAY_OK:
        jv_set_bool(v, "ok", true);
        break;
    case LEDGER_SAY_MATCH:
        jv_set_bool(v, "match", r->match);
        jv_set_int(v, "actual", r->value);
        break;
    case LEDGER_SAY_ORDER:
    case LEDGER_SAY_ERROR:
        jv_set_string(v, "error", r->error);
        break;
    }
    return v;
}

struct json *ledger_observe(struct env *e)
{
    const struct ledger *l = ledger_of(e);
    struct ledger_reply reply = {.kind = l->done ? LEDGER_SAY_DONE : LEDGER_SAY_ORDER};

    return reply_json(l, &reply);
}

struct json *ledger_call(struct env *e, const struct env_call *c, struct env_effect *fx)
{
    struct ledger_reply reply;

    ledger_apply(ledger_of(e), c, &reply, fx);
    return reply_json(ledger_of(e), &reply);
}
