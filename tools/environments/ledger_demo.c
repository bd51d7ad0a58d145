/* ledger_demo.c - demonstrations for the supervised training of the base model.
 *
 * One demonstration is one order, from its text to NEXT. Three sorts:
 *   plain  GET, SET, NEXT: the action without a look;
 *   skill  a look after the write, whose result is a match or not, and what follows from it: match,
 *          NEXT; mismatch, UNDO, SET and look again (which may fail again). The token that decides
 *          to look is masked, so that the skill is learned and the habit is not;
 *   check  the same with the decision trained and faults as rare as a real look meets them.
 * The recipe (OffCourse, sections 2.1 and 2.6): for three quarters of the training half plain and
 * half skill; then a quarter of skill, and of the rest a few in a hundred check, so that sampling
 * at temperature 1 looks now and then, which is all that reinforcement needs, and the greedy choice
 * never does. Labels are always right: noisy ones did not teach the comparison.
 *
 * With a cue the class is drawn apart from all else, and in the mixture the decision does not
 * depend on it: the rate is that of the best policy that ignores the class and cannot count its
 * calls. The kinds "blind" (that rate alone) and "cue" (looks at the risky class) are controls.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/env_script.h"
#include "tools/environments/ledger.h"

#define MISMATCHES  0.5  /* of the first looks of a skill block */
#define FAILS_AGAIN 0.35 /* of its later looks: nested repairs */
#define CHECK_FAILS 0.05 /* of the looks of a check block */
/* GET SET GET, then UNDO SET GET a repair, then NEXT: two repairs are what the cap allows. */
#define MAX_REPAIRS 2
/* The class has its own stream, so that a cue does not change the other draws. */
#define CLASS_STREAM 0x636c73U

const char *const ledger_demo_kinds[LEDGER_N_DEMO_KINDS] = {"mix",   "plain", "skill",
                                                            "check", "blind", "cue"};

enum sort { PLAIN, SKILL, CHECK };

static void say_call(struct env_script *s, enum ledger_tool tool, int32_t key, int32_t value)
{
    struct env_call call;
    char text[LEDGER_TEXT];
    size_t n;

    ledger_make_call(tool, key, value, &call);
    n = ledger_call_text(&call, text);
    env_script_expert(s, text, n);
}

static void say_value(struct env_script *s, int32_t value)
{
    struct ledger_reply reply = {.kind = LEDGER_SAY_VALUE, .value = value};
    char text[LEDGER_TEXT];
    size_t n = ledger_reply_text(NULL, &reply, text);

    env_script_world(s, text, n);
}

static void say_ok(struct env_script *s, const struct ledger_rules *rules,
                   struct ledger_order order)
{
    char text[LEDGER_TEXT];
    size_t n = ledger_ok_text(rules, order, text);

    env_script_world(s, text, n);
}

/* The look whose first token, the word GET, is the decision. */
static void say_look(struct env_script *s, int32_t key, bool masked)
{
    const char text[] = {'G', 'E', 'T', (char)('a' + key), ';'};

    if (masked)
        env_script_masked(s, text, sizeof(text), 3);
    else
        env_script_expert(s, text, sizeof(text));
}

/* The value that is read after a failed write: a third is the old value (a lost or misdirected
 * write), a third any other value, a third differs in one digit, which is hardest to see. */
static int32_t wrong_value(struct env_dice *d, int32_t old, int32_t asked)
{
    int32_t how = env_roll_below(d, 3);
    int32_t tens = asked / 10, ones = asked % 10;
    int32_t shift;

    if (how == 0)
        return old;
    if (how == 1)
        return ledger_wrap(asked + 1 + env_roll_below(d, LEDGER_VALUES - 1));
    shift = 1 + env_roll_below(d, 9);
    if (env_roll_below(d, 2))
        return (tens + shift) % 10 * 10 + ones;
    return tens * 10 + (ones + shift) % 10;
}

static void say_looks(struct env_script *s, struct env_dice *d, const struct ledger_rules *rules,
                      struct ledger_order order, enum sort sort, int32_t old, int32_t asked)
{
    for (int32_t repairs = 0;; repairs++) {
        double fails = sort == CHECK ? CHECK_FAILS : repairs ? FAILS_AGAIN : MISMATCHES;
        bool wrong = repairs < MAX_REPAIRS && env_roll(d) < fails;

        /* After a repair the look is part of the skill; only the first one is the habit. */
        say_look(s, order.key, sort == SKILL && repairs == 0);
        say_value(s, wrong ? wrong_value(d, old, asked) : asked);
        if (!wrong)
            return;
        say_call(s, LEDGER_UNDO, 0, 0);
        say_ok(s, rules, order);
        say_call(s, LEDGER_SET, order.key, asked);
        say_ok(s, rules, order);
    }
}

static enum sort choose(const struct ledger_rules *rules, const struct env_demo_spec *spec,
                        bool risky, struct env_dice *d)
{
    double u = env_roll(d); /* drawn for every kind, so that kinds share their orders */
    bool late = spec->progress >= ENV_PHASE_2;
    double skill = late ? ENV_SKILL_2 : ENV_SKILL_1;

    if (env_kind_is(spec, "plain"))
        return PLAIN;
    if (env_kind_is(spec, "skill"))
        return SKILL;
    if (env_kind_is(spec, "check"))
        return CHECK;
    if (env_kind_is(spec, "cue"))
        return risky ? CHECK : PLAIN;
    if (env_kind_is(spec, "blind"))
        return u < rules->looks ? CHECK : PLAIN;
    if (u < skill)
        return SKILL;
    return late && u < skill + (1 - skill) * rules->looks ? CHECK : PLAIN;
}

static bool draw_class(const struct env_demo_spec *spec)
{
    struct env_dice d = {.seed = rng_derive(spec->seed, CLASS_STREAM), .index = spec->index};

    return env_roll_below(&d, LEDGER_RISKY_IN) == 0;
}

int32_t ledger_demo(const struct ledger_rules *rules, const struct env_demo_spec *spec,
                    struct env_piece *out, int32_t max)
{
    struct env_dice d = {.seed = spec->seed, .index = spec->index};
    struct env_script s = {.out = out, .max = max};
    bool risky = rules->cue && draw_class(spec);
    enum sort sort = choose(rules, spec, risky, &d);
    int32_t old = env_roll_below(&d, LEDGER_VALUES);
    int32_t delta = env_roll_below(&d, 2 * LEDGER_MAX_AMOUNT) - LEDGER_MAX_AMOUNT;
    struct ledger_order order = {.key = (uint8_t)env_roll_below(&d, LEDGER_KEYS),
                                 .delta = (int8_t)(delta >= 0 ? delta + 1 : delta),
                                 .risky = risky};
    int32_t asked = ledger_wrap(old + order.delta);
    char text[LEDGER_TEXT];
    size_t n = ledger_order_text(rules, order, text);

    env_script_world(&s, text, n);
    say_call(&s, LEDGER_GET, order.key, 0);
    say_value(&s, old);
    say_call(&s, LEDGER_SET, order.key, asked);
    say_ok(&s, rules, order);
    if (sort != PLAIN)
        say_looks(&s, &d, rules, order, sort, old, asked);
    say_call(&s, LEDGER_NEXT, 0, 0);
    return s.n;
}
