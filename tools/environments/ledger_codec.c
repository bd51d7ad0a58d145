/* ledger_codec.c - the ledger's two languages: JSON values, and the compact text in which words
 * are one token each and all else is single bytes.
 *
 *   ORDd+7|GETd;>59|SETd66;>OK|CHECKd66;>YES66|UNDO;>OK|NEXT;>DONE|
 *
 * The model's part ends in ";", the environment's begins with ">" and ends in "|". Values are
 * always two digits, amounts one, so that each call has exactly one text and each text at most
 * one call. An order opens a fresh context, so its text has no ">"; with a cue it ends in the
 * letter of its class, "ORDd+7b|", in which the answer to a deed ends as well, ">OKb". Nothing here
 * allocates but the JSON values and the caller's str.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/env_text.h"
#include "tools/environments/ledger.h"

static const struct env_word words[LEDGER_N_TOOLS] = {
    [LEDGER_NEXT] = {"NEXT", 4}, [LEDGER_GET] = {"GET", 3},     [LEDGER_SET] = {"SET", 3},
    [LEDGER_UNDO] = {"UNDO", 4}, [LEDGER_CHECK] = {"CHECK", 5},
};

static bool has_value(int32_t tool)
{
    return tool == LEDGER_SET || tool == LEDGER_CHECK;
}

static bool has_key(int32_t tool)
{
    return tool == LEDGER_GET || has_value(tool);
}

static char class_letter(const struct ledger_rules *rules, struct ledger_order order)
{
    return order.risky ? rules->risky_letter : rules->calm_letter;
}

size_t ledger_order_text(const struct ledger_rules *rules, struct ledger_order order,
                         char out[LEDGER_TEXT])
{
    char *at = text_put(out, "ORD", 3);

    *at++ = (char)('a' + order.key);
    *at++ = order.delta < 0 ? '-' : '+';
    *at++ = (char)('0' + (order.delta < 0 ? -order.delta : order.delta));
    if (rules->cue)
        *at++ = class_letter(rules, order);
    return text_finish(out, at, '|');
}

size_t ledger_ok_text(const struct ledger_rules *rules, struct ledger_order order,
                      char out[LEDGER_TEXT])
{
    return text_finish(out, text_put(out, ">OK", 3), rules->cue ? class_letter(rules, order) : '|');
}

size_t ledger_reply_text(const struct ledger *l, const struct ledger_reply *r,
                         char out[LEDGER_TEXT])
{
    char *at = text_put(out, ">", 1);

    switch (r->kind) {
    case LEDGER_SAY_ORDER:
        return ledger_order_text(l->rules, l->order, out);
    case LEDGER_SAY_DONE:
        at = text_put(at, "DONE", 4);
        break;
    case LEDGER_SAY_VALUE:
        at = text_put_two(at, r->value);
        break;
    case LEDGER_SAY_OK:
        return ledger_ok_text(l->rules, l->order, out);
    case LEDGER_SAY_MATCH:
        at = r->match ? text_put(at, "YES", 3) : text_put(at, "NO", 2);
        at = text_put_two(at, r->value);
        break;
    case LEDGER_SAY_ERROR:
        at = text_put(at, "ERR", 3);
        break;
    }
    return text_finish(out, at, '|');
}

size_t ledger_call_text(const struct env_call *c, char out[LEDGER_TEXT])
{
    char *at = out;

    if (c->tool < 0 || c->tool >= LEDGER_N_TOOLS)
        return text_finish(out, text_put(out, "ERR", 3), ';');
    at = text_put(at, words[c->tool].text, words[c->tool].len);
    if (has_key(c->tool))
        *at++ = c->arg[0].text[0];
    if (has_value(c->tool))
        at = text_put_two(at, ledger_wrap((int32_t)(c->arg[1].number % LEDGER_VALUES)));
    return text_finish(out, at, ';');
}

void ledger_render_call(const struct env_call *c, struct str *out)
{
    char text[LEDGER_TEXT];
    size_t n = ledger_call_text(c, text);

    str_append(out, text, n);
}

/* The bytes after each tool's word, with the terminator: the length is fixed. */
static bool parse_rest(int32_t tool, const char *at, size_t n, struct env_call *out)
{
    if (n != (size_t)has_key(tool) + 2 * (size_t)has_value(tool) + 1 || at[n - 1] != ';')
        return false;
    if (has_key(tool)) {
        if (!text_in_range(*at, 'a', LEDGER_KEYS))
            return false;
        out->arg[0].is_text = true;
        out->arg[0].text[0] = *at++;
    }
    return !has_value(tool) || text_digits(at, 2, &out->arg[1].number);
}

void ledger_parse_compact(const struct env *e, const char *text, size_t n, struct env_call *out)
{
    int32_t tool = text_tool(words, LEDGER_N_TOOLS, text, n);

    (void)e;
    *out = (struct env_call){.tool = tool};
    if (tool < 0 || parse_rest(tool, text + words[tool].len, n - words[tool].len, out))
        return;
    *out = (struct env_call){.tool = -1};
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
    struct ledger_reply reply = {.kind = l->base.done ? LEDGER_SAY_DONE : LEDGER_SAY_ORDER};
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
    if (l->rules->cue) {
        const char class[2] = {class_letter(l->rules, l->order), '\0'};

        jv_set_string(v, "class", class);
    }
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
    struct ledger_reply reply = {.kind = l->base.done ? LEDGER_SAY_DONE : LEDGER_SAY_ORDER};

    return reply_json(l, &reply);
}

struct json *ledger_call(struct env *e, const struct env_call *c, struct env_effect *fx)
{
    struct ledger_reply reply;

    ledger_apply(ledger_of(e), c, &reply, fx);
    return reply_json(ledger_of(e), &reply);
}
