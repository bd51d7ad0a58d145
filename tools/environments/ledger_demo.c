/* ledger_demo.c - demonstrations: what the base model learns before it learns from experience.
 *
 * One demonstration is one order, from its text to NEXT. Three sorts:
 *   plain  GET, SET, NEXT: the deed without a look;
 *   skill  a look after the write, whose result is a match or not, and what follows from it: match,
 *          NEXT; mismatch, UNDO, SET and look again (which may fail again). The token that decides
 *          to look is masked, so that the skill is learned and the habit is not;
 *   check  the same with the decision trained and faults as rare as a real look meets them.
 * The recipe (OffCourse, sections 2.1 and 2.6): for three quarters of the training half plain and
 * half skill; then a quarter of skill, and of the rest a few in a hundred check, so that sampling
 * at temperature 1 looks now and then, which is all that reinforcement needs, and the greedy choice
 * never does. Labels are always right: noisy ones did not teach the comparison.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/base/rng.h"
#include "tools/environments/ledger.h"

/* The mixture. LOOKS is the share of trained decisions that look: the middle of 3 .. 8 %. */
#define PHASE_2     0.75
#define SKILL_1     0.50
#define SKILL_2     0.25
#define LOOKS       0.055
#define MISMATCHES  0.5  /* of the first looks of a skill block */
#define FAILS_AGAIN 0.35 /* of its later looks: nested repairs */
#define CHECK_FAILS 0.05 /* of the looks of a check block */
/* GET SET GET, then UNDO SET GET a repair, then NEXT: two repairs are what the cap allows. */
#define MAX_REPAIRS 2

const char *const ledger_demo_kinds[LEDGER_N_DEMO_KINDS] = {"mix", "plain", "skill", "check"};

enum sort { PLAIN, SKILL, CHECK };

/* The draws of one demonstration, in order: Philox under the set's seed, one block a draw. */
struct dice {
    uint64_t seed, index;
    uint32_t n;
};

static double roll(struct dice *d)
{
    struct rng_block b =
        rng_philox(d->seed, (uint32_t)d->index, (uint32_t)(d->index >> 32), d->n++, 0x64656d6fU);

    return rng_unit_double(b.word[0], b.word[1]);
}

static int32_t roll_below(struct dice *d, int32_t n)
{
    return (int32_t)(roll(d) * n);
}

struct script {
    struct env_piece *out;
    int32_t n, max;
};

static void say(struct script *s, const char *text, size_t n, bool expert, bool masked)
{
    struct env_piece *p;

    if (s->n == s->max)
        return;
    p = &s->out[s->n++];
    *p = (struct env_piece){.expert = expert, .masked = masked};
    memcpy(p->text, text, n);
}

static void say_call(struct script *s, enum ledger_tool tool, int32_t key, int32_t value)
{
    struct env_call call;
    char text[LEDGER_TEXT];
    size_t n;

    ledger_make_call(tool, key, value, &call);
    n = ledger_call_text(&call, text);
    say(s, text, n, true, false);
}

static void say_reply(struct script *s, enum ledger_answer kind, int32_t value)
{
    struct ledger_reply reply = {.kind = kind, .value = value};
    char text[LEDGER_TEXT];
    size_t n = ledger_reply_text(NULL, &reply, text);

    say(s, text, n, false, false);
}

/* The look whose first token, the word GET, is the decision. */
static void say_look(struct script *s, int32_t key, bool masked)
{
    const char rest[3] = {(char)('a' + key), ';', '\0'};

    if (!masked) {
        say_call(s, LEDGER_GET, key, 0);
        return;
    }
    say(s, "GET", 3, true, true);
    say(s, rest, 2, true, false);
}

/* What a failed write leaves to be read. A third as after a lost or misdirected write (the old
 * value), a third anything else, a third one digit off: the pairs that are hardest to tell. */
static int32_t wrong_value(struct dice *d, int32_t old, int32_t asked)
{
    int32_t how = roll_below(d, 3);
    int32_t tens = asked / 10, ones = asked % 10;
    int32_t shift;

    if (how == 0)
        return old;
    if (how == 1)
        return ledger_wrap(asked + 1 + roll_below(d, LEDGER_VALUES - 1));
    shift = 1 + roll_below(d, 9);
    if (roll_below(d, 2))
        return (tens + shift) % 10 * 10 + ones;
    return tens * 10 + (ones + shift) % 10;
}

static void say_looks(struct script *s, struct dice *d, enum sort sort, int32_t key, int32_t old,
                      int32_t asked)
{
    for (int32_t repairs = 0;; repairs++) {
        double fails = sort == CHECK ? CHECK_FAILS : repairs ? FAILS_AGAIN : MISMATCHES;
        bool wrong = repairs < MAX_REPAIRS && roll(d) < fails;

        /* After a repair the look is part of the skill; only the first one is the habit. */
        say_look(s, key, sort == SKILL && repairs == 0);
        say_reply(s, LEDGER_SAY_VALUE, wrong ? wrong_value(d, old, asked) : asked);
        if (!wrong)
            return;
        say_call(s, LEDGER_UNDO, 0, 0);
        say_reply(s, LEDGER_SAY_OK, 0);
        say_call(s, LEDGER_SET, key, asked);
        say_reply(s, LEDGER_SAY_OK, 0);
    }
}

static enum sort choose(const struct env_demo_spec *spec, struct dice *d)
{
    double u = roll(d); /* drawn for every kind, so that kinds share their orders */
    double skill = spec->progress < PHASE_2 ? SKILL_1 : SKILL_2;

    if (spec->kind && strcmp(spec->kind, "plain") == 0)
        return PLAIN;
    if (spec->kind && strcmp(spec->kind, "skill") == 0)
        return SKILL;
    if (spec->kind && strcmp(spec->kind, "check") == 0)
        return CHECK;
    if (u < skill)
        return SKILL;
    if (spec->progress < PHASE_2)
        return PLAIN;
    return u < skill + (1 - skill) * LOOKS ? CHECK : PLAIN;
}

int32_t ledger_demo(const struct env_demo_spec *spec, struct env_piece *out, int32_t max)
{
    struct dice d = {.seed = spec->seed, .index = spec->index};
    struct script s = {.out = out, .max = max};
    enum sort sort = choose(spec, &d);
    int32_t old = roll_below(&d, LEDGER_VALUES);
    int32_t delta = roll_below(&d, 2 * LEDGER_MAX_AMOUNT) - LEDGER_MAX_AMOUNT;
    struct ledger_order order = {.key = (uint8_t)roll_below(&d, LEDGER_KEYS),
                                 .delta = (int8_t)(delta >= 0 ? delta + 1 : delta)};
    int32_t asked = ledger_wrap(old + order.delta);
    char text[LEDGER_TEXT];
    size_t n = ledger_order_text(order, text);

    say(&s, text, n, false, false);
    say_call(&s, LEDGER_GET, order.key, 0);
    say_reply(&s, LEDGER_SAY_VALUE, old);
    say_call(&s, LEDGER_SET, order.key, asked);
    say_reply(&s, LEDGER_SAY_OK, 0);
    if (sort != PLAIN)
        say_looks(&s, &d, sort, order.key, old, asked);
    say_call(&s, LEDGER_NEXT, 0, 0);
    return s.n;
}
