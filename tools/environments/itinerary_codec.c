/* itinerary_codec.c - the itinerary's two languages: JSON values, and the compact text in which
 * words are one token each and all else is single bytes.
 *
 *   LEGcf17|SEARCHcf17;>OFFER145SEAT2OFFER738SEAT0|BOOK1;>OK417|LIST17;>417OFFER1|NEXT;
 *   ... BOOK1;>TIMEOUT|LIST17;>NULL|CANCEL417;>ERR|
 *
 * Cities are one letter, days and prices two digits, offers and seats one, references three. A leg
 * opens a fresh context, so its text has no ">". Nothing found is NULL.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/env_text.h"
#include "tools/environments/itinerary.h"

static const struct env_word words[ITINERARY_N_TOOLS] = {
    [ITINERARY_NEXT] = {"NEXT", 4},     [ITINERARY_SEARCH] = {"SEARCH", 6},
    [ITINERARY_BOOK] = {"BOOK", 4},     [ITINERARY_LIST] = {"LIST", 4},
    [ITINERARY_CANCEL] = {"CANCEL", 6},
};
/* Bytes after the word, the terminator included. */
static const uint8_t rest_bytes[ITINERARY_N_TOOLS] = {1, 5, 2, 3, 4};

static char *put_ref(char *at, uint16_t ref)
{
    *at++ = (char)('0' + ref / 100 % 10);
    return text_put_two(at, ref % 100);
}

static char *put_leg(char *at, struct itinerary_leg leg)
{
    *at++ = (char)('a' + leg.from);
    *at++ = (char)('a' + leg.to);
    return text_put_two(at, leg.day);
}

static char *put_offers(char *at, const struct itinerary_offers *o)
{
    for (int32_t i = 0; i < o->n; i++) {
        at = text_put(at, "OFFER", 5);
        *at++ = (char)('0' + o->offer[i].id);
        at = text_put(text_put_two(at, o->offer[i].price), "SEAT", 4);
        *at++ = (char)('0' + o->offer[i].seats);
    }
    return o->n > 0 ? at : text_put(at, "NULL", 4);
}

static char *put_bookings(char *at, const struct itinerary_reply *r)
{
    for (int32_t i = 0; i < r->n; i++) {
        at = text_put(put_ref(at, r->booking[i].ref), "OFFER", 5);
        *at++ = (char)('0' + r->booking[i].offer);
    }
    return r->n > 0 ? at : text_put(at, "NULL", 4);
}

size_t itinerary_reply_text(const struct itinerary_reply *r, char out[ITINERARY_TEXT])
{
    char *at = text_put(out, ">", 1);

    switch (r->kind) {
    case ITINERARY_SAY_LEG:
        at = put_leg(text_put(out, "LEG", 3), r->leg);
        break;
    case ITINERARY_SAY_DONE:
        at = text_put(at, "DONE", 4);
        break;
    case ITINERARY_SAY_OFFERS:
        at = put_offers(at, &r->offers);
        break;
    case ITINERARY_SAY_CONFIRMED:
        at = put_ref(text_put(at, "OK", 2), r->ref);
        break;
    case ITINERARY_SAY_TIMEOUT:
        at = text_put(at, "TIMEOUT", 7);
        break;
    case ITINERARY_SAY_BOOKINGS:
        at = put_bookings(at, r);
        break;
    case ITINERARY_SAY_OK:
        at = text_put(at, "OK", 2);
        break;
    case ITINERARY_SAY_ERROR:
        at = text_put(at, "ERR", 3);
        break;
    }
    return text_finish(out, at, '|');
}

size_t itinerary_call_text(const struct env_call *c, char out[ITINERARY_TEXT])
{
    char *at = out;

    if (c->tool < 0 || c->tool >= ITINERARY_N_TOOLS)
        return text_finish(out, text_put(out, "ERR", 3), ';');
    at = text_put(at, words[c->tool].text, words[c->tool].len);
    switch ((enum itinerary_tool)c->tool) {
    case ITINERARY_SEARCH:
        *at++ = c->arg[0].text[0];
        *at++ = c->arg[1].text[0];
        at = text_put_two(at, (int32_t)(c->arg[2].number & 31));
        break;
    case ITINERARY_BOOK:
        *at++ = c->arg[0].text[1];
        break;
    case ITINERARY_LIST:
        at = text_put_two(at, (int32_t)(c->arg[0].number & 31));
        break;
    case ITINERARY_CANCEL:
        at = text_put(at, c->arg[0].text + 1, 3);
        break;
    case ITINERARY_NEXT:
    case ITINERARY_N_TOOLS:
        break;
    }
    return text_finish(out, at, ';');
}

void itinerary_render_call(const struct env_call *c, struct str *out)
{
    char text[ITINERARY_TEXT];
    size_t n = itinerary_call_text(c, text);

    str_append(out, text, n);
}

static bool parse_day(const char *at, struct env_value *v)
{
    return text_digits(at, 2, &v->number) && v->number >= 1 && v->number <= ITINERARY_DAYS;
}

static bool parse_text(const char *at, size_t n, char prefix, struct env_value *v)
{
    char *to = v->text;

    v->is_text = true;
    if (prefix)
        *to++ = prefix;
    memcpy(to, at, n);
    return true;
}

static bool parse_rest(int32_t tool, const char *at, size_t n, struct env_call *out)
{
    uint8_t small;
    uint16_t ref;

    if (n != rest_bytes[tool] || at[n - 1] != ';')
        return false;
    switch ((enum itinerary_tool)tool) {
    case ITINERARY_NEXT:
        return true;
    case ITINERARY_SEARCH:
        return parse_text(at, 1, '\0', &out->arg[0]) && parse_text(at + 1, 1, '\0', &out->arg[1]) &&
               itinerary_read_city(&out->arg[0], &small) &&
               itinerary_read_city(&out->arg[1], &small) && parse_day(at + 2, &out->arg[2]);
    case ITINERARY_BOOK:
        return parse_text(at, 1, 'o', &out->arg[0]) && itinerary_read_offer(&out->arg[0], &small);
    case ITINERARY_LIST:
        return parse_day(at, &out->arg[0]);
    case ITINERARY_CANCEL:
        return parse_text(at, 3, 'r', &out->arg[0]) && itinerary_read_ref(&out->arg[0], &ref);
    case ITINERARY_N_TOOLS:
        break;
    }
    return false;
}

void itinerary_parse_compact(const struct env *e, const char *text, size_t n, struct env_call *out)
{
    int32_t tool = text_tool(words, ITINERARY_N_TOOLS, text, n);

    (void)e;
    *out = (struct env_call){.tool = tool};
    if (tool < 0 || parse_rest(tool, text + words[tool].len, n - words[tool].len, out))
        return;
    *out = (struct env_call){.tool = -1};
}

void itinerary_call_compact(struct env *e, const struct env_call *c, struct env_effect *fx,
                            struct str *out)
{
    struct itinerary_reply reply;
    char text[ITINERARY_TEXT];
    size_t n;

    itinerary_apply(itinerary_of(e), c, &reply, fx);
    n = itinerary_reply_text(&reply, text);
    str_append(out, text, n);
}

static struct itinerary_reply observation(const struct env *e)
{
    return (struct itinerary_reply){.kind = e->done ? ITINERARY_SAY_DONE : ITINERARY_SAY_LEG,
                                    .leg = itinerary_of_const(e)->leg};
}

void itinerary_observe_compact(struct env *e, struct str *out)
{
    struct itinerary_reply reply = observation(e);
    char text[ITINERARY_TEXT];
    size_t n = itinerary_reply_text(&reply, text);

    str_append(out, text, n);
}

/* "o3", "r417": a letter and the digits of a value. */
static void set_name(struct json *v, const char *key, char letter, int32_t value, int32_t digits)
{
    char name[8] = {letter};

    for (int32_t i = digits; i > 0; i--, value /= 10)
        name[i] = (char)('0' + value % 10);
    jv_set_string(v, key, name);
}

static struct json *offers_json(const struct itinerary_offers *o)
{
    struct json *list = jv_array();

    for (int32_t i = 0; i < o->n; i++) {
        struct json *v = jv_object();

        set_name(v, "offer", 'o', o->offer[i].id, 1);
        jv_set_int(v, "price", o->offer[i].price);
        jv_set_int(v, "seats", o->offer[i].seats);
        jv_append_adopt(list, v);
    }
    return list;
}

static struct json *bookings_json(const struct itinerary_reply *r)
{
    struct json *list = jv_array();

    for (int32_t i = 0; i < r->n; i++) {
        struct json *v = jv_object();

        set_name(v, "ref", 'r', r->booking[i].ref, 3);
        set_name(v, "offer", 'o', r->booking[i].offer, 1);
        jv_set_string(v, "status", "confirmed");
        jv_append_adopt(list, v);
    }
    return list;
}

static struct json *leg_json(struct itinerary_leg leg)
{
    const char from[2] = {(char)('a' + leg.from), '\0'}, to[2] = {(char)('a' + leg.to), '\0'};
    struct json *v = jv_object();

    jv_set_string(v, "from", from);
    jv_set_string(v, "to", to);
    jv_set_int(v, "day", leg.day);
    return v;
}

static struct json *reply_json(const struct itinerary_reply *r)
{
    struct json *v;

    if (r->kind == ITINERARY_SAY_LEG)
        return leg_json(r->leg);
    if (r->kind == ITINERARY_SAY_OFFERS)
        return offers_json(&r->offers);
    if (r->kind == ITINERARY_SAY_BOOKINGS)
        return bookings_json(r);
    v = jv_object();
    if (r->kind == ITINERARY_SAY_DONE) {
        jv_set_bool(v, "done", true);
    } else if (r->kind == ITINERARY_SAY_OK) {
        jv_set_bool(v, "ok", true);
    } else if (r->kind == ITINERARY_SAY_CONFIRMED) {
        jv_set_string(v, "status", "confirmed");
        set_name(v, "ref", 'r', r->ref, 3);
    } else {
        jv_set_string(v, "error", r->error);
    }
    return v;
}

struct json *itinerary_observe(struct env *e)
{
    struct itinerary_reply reply = observation(e);

    return reply_json(&reply);
}

struct json *itinerary_call(struct env *e, const struct env_call *c, struct env_effect *fx)
{
    struct itinerary_reply reply;

    itinerary_apply(itinerary_of(e), c, &reply, fx);
    return reply_json(&reply);
}
