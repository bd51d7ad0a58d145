/* courier_codec.c - the courier's two languages: JSON values, and the compact text in which words
 * are one token each and all else is single bytes.
 *
 *   AT0500GOTO0302p7GUSTY|MOVEW2;>OK7MOVES2;>OK7WHERE;>AT0302GOTO0302p7GUSTY|DROPp7;>OK7NEXT;>DONE|
 *
 * Cells are x and y with two digits each. A leg opens a fresh context, so its text has no ">";
 * AT is the position that the model believes in (courier.h). A reading repeats the leg from the
 * courier's true cell, so that the way back is found like the way there; it adds only that cell. (A
 * bare cell had to be compared with digits at a varying distance; a model of two layers did not
 * learn that in ten million tokens.) The answer to an action ends in the force of the wind, 7 if it
 * is gusty and else 0, because the model decides there whether to look (ledger.h, ledger_ok_text).
 * It is a digit because the embeddings of words that the model never writes lie close together
 * (inferred), and reinforcement could not separate them. Without a cue there is a "|" instead.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <string.h>

#include "tools/environments/courier.h"
#include "tools/environments/env_text.h"

static const struct env_word words[COURIER_N_TOOLS] = {
    [COURIER_NEXT] = {"NEXT", 4}, [COURIER_MOVE] = {"MOVE", 4},   [COURIER_WHERE] = {"WHERE", 5},
    [COURIER_DROP] = {"DROP", 4}, [COURIER_PICKUP] = {"PICK", 4},
};

static char *put_cell(char *at, struct courier_cell cell)
{
    return text_put_two(text_put_two(at, cell.x), cell.y);
}

size_t courier_leg_text(const struct courier_rules *rules, struct courier_cell at,
                        struct courier_leg leg, char out[COURIER_TEXT])
{
    char *to = put_cell(text_put(out, "AT", 2), at);

    to = put_cell(text_put(to, "GOTO", 4), leg.to);
    *to++ = 'p';
    *to++ = (char)('0' + leg.parcel);
    if (rules->cue)
        to = leg.gusty ? text_put(to, "GUSTY", 5) : text_put(to, "CALM", 4);
    return text_finish(out, to, '|');
}

size_t courier_reading_text(const struct courier_rules *rules, struct courier_cell shown,
                            struct courier_leg leg, char out[COURIER_TEXT])
{
    char text[COURIER_TEXT];
    size_t n = courier_leg_text(rules, shown, leg, text);

    assert(n + 1 < COURIER_TEXT);
    *out = '>';
    memcpy(out + 1, text, n + 1);
    return n + 1;
}

size_t courier_ok_text(const struct courier_rules *rules, struct courier_leg leg,
                       char out[COURIER_TEXT])
{
    return text_finish(out, text_put(out, ">OK", 3), !rules->cue ? '|' : leg.gusty ? '7' : '0');
}

static size_t courier_reply_text(const struct courier *c, const struct courier_reply *r,
                                 char out[COURIER_TEXT])
{
    char *at = text_put(out, ">", 1);

    switch (r->kind) {
    case COURIER_SAY_LEG:
        return courier_leg_text(c->rules, c->at, c->leg, out);
    case COURIER_SAY_DONE:
        at = text_put(at, "DONE", 4);
        break;
    case COURIER_SAY_OK:
        return courier_ok_text(c->rules, c->leg, out);
    case COURIER_SAY_CELL:
        return courier_reading_text(c->rules, r->cell, c->leg, out);
    case COURIER_SAY_YES:
        at = text_put(at, "YES", 3);
        break;
    case COURIER_SAY_NO:
        at = text_put(at, "NO", 2);
        break;
    case COURIER_SAY_ERROR:
        at = text_put(at, "ERR", 3);
        break;
    }
    return text_finish(out, at, '|');
}

size_t courier_call_text(const struct env_call *call, char out[COURIER_TEXT])
{
    char *at = out;

    if (call->tool < 0 || call->tool >= COURIER_N_TOOLS)
        return text_finish(out, text_put(out, "ERR", 3), ';');
    at = text_put(at, words[call->tool].text, words[call->tool].len);
    if (call->tool == COURIER_MOVE) {
        *at++ = call->arg[0].text[0];
        *at++ = (char)('0' + (call->arg[1].number & 7));
    } else if (call->tool == COURIER_DROP || call->tool == COURIER_PICKUP) {
        *at++ = call->arg[0].text[0];
        *at++ = call->arg[0].text[1];
    }
    return text_finish(out, at, ';');
}

void courier_render_call(const struct env_call *call, struct str *out)
{
    char text[COURIER_TEXT];
    size_t n = courier_call_text(call, text);

    str_append(out, text, n);
}

/* The bytes after each tool's word, with the terminator: the length is fixed. */
static bool parse_rest(int32_t tool, const char *at, size_t n, struct env_call *out)
{
    bool bare = tool == COURIER_NEXT || tool == COURIER_WHERE;
    enum courier_dir dir;

    if (n != (bare ? 1U : 3U) || at[n - 1] != ';')
        return false;
    if (bare)
        return true;
    out->arg[0].is_text = true;
    out->arg[0].text[0] = at[0];
    if (tool == COURIER_MOVE) {
        out->arg[1].number = at[1] - '0';
        return courier_read_dir(&out->arg[0], &dir) && text_in_range(at[1], '1', COURIER_STRIDE);
    }
    out->arg[0].text[1] = at[1];
    return at[0] == 'p' && text_in_range(at[1], '0', COURIER_NAMES);
}

void courier_parse_compact(const struct env *e, const char *text, size_t n, struct env_call *out)
{
    int32_t tool = text_tool(words, COURIER_N_TOOLS, text, n);

    (void)e;
    *out = (struct env_call){.tool = tool};
    if (tool < 0 || parse_rest(tool, text + words[tool].len, n - words[tool].len, out))
        return;
    *out = (struct env_call){.tool = -1};
}

void courier_call_compact(struct env *e, const struct env_call *call, struct env_effect *fx,
                          struct str *out)
{
    struct courier_reply reply;
    char text[COURIER_TEXT];
    size_t n;

    courier_apply(courier_of(e), call, &reply, fx);
    n = courier_reply_text(courier_of(e), &reply, text);
    str_append(out, text, n);
}

void courier_observe_compact(struct env *e, struct str *out)
{
    struct courier_reply reply = {.kind = e->done ? COURIER_SAY_DONE : COURIER_SAY_LEG};
    char text[COURIER_TEXT];
    size_t n = courier_reply_text(courier_of(e), &reply, text);

    str_append(out, text, n);
}

static struct json *cell_json(struct courier_cell cell)
{
    struct json *v = jv_array();

    jv_append_adopt(v, jv_int(cell.x));
    jv_append_adopt(v, jv_int(cell.y));
    return v;
}

static struct json *leg_json(const struct courier *c)
{
    const char name[3] = {'p', (char)('0' + c->leg.parcel), '\0'};
    struct json *v = jv_object();

    jv_set_adopt(v, "at", cell_json(c->at));
    jv_set_adopt(v, "goto", cell_json(c->leg.to));
    jv_set_string(v, "drop", name);
    if (c->rules->cue)
        jv_set_string(v, "weather", c->leg.gusty ? "gusty" : "calm");
    return v;
}

static struct json *reply_json(const struct courier *c, const struct courier_reply *r)
{
    struct json *v;

    if (r->kind == COURIER_SAY_LEG)
        return leg_json(c);
    v = jv_object();
    switch (r->kind) {
    case COURIER_SAY_DONE:
        jv_set_bool(v, "done", true);
        break;
    case COURIER_SAY_OK:
    case COURIER_SAY_YES:
        jv_set_bool(v, "ok", true);
        break;
    case COURIER_SAY_NO:
        jv_set_bool(v, "ok", false);
        break;
    case COURIER_SAY_CELL:
        jv_set_int(v, "x", r->cell.x);
        jv_set_int(v, "y", r->cell.y);
        break;
    case COURIER_SAY_LEG:
    case COURIER_SAY_ERROR:
        jv_set_string(v, "error", r->error);
        break;
    }
    return v;
}

struct json *courier_observe(struct env *e)
{
    struct courier_reply reply = {.kind = e->done ? COURIER_SAY_DONE : COURIER_SAY_LEG};

    return reply_json(courier_of(e), &reply);
}

struct json *courier_call(struct env *e, const struct env_call *call, struct env_effect *fx)
{
    struct courier_reply reply;

    courier_apply(courier_of(e), call, &reply, fx);
    return reply_json(courier_of(e), &reply);
}
