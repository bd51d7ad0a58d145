/* courier_demo.c - demonstrations for the supervised training of the base model.
 *
 * One demonstration is one leg, from its text to NEXT. Three sorts:
 *   plain  the moves, DROP, NEXT;
 *   skill  before the drop a look, whose reading is the target or another cell; then the way back
 *          and a look again (which may differ again). The word WHERE that decides to look is
 *          masked, so that the skill is learned and the habit is not;
 *   check  the same with the decision trained and errors as rare as a real look meets them.
 * The curriculum is the ledger's. Where there is a cue the trained decisions imitate the best
 * policy that ignores the weather and cannot count its calls: it looks on long legs. They are
 * softened, so that sampling at temperature 1 also looks on short legs now and then and sometimes
 * not on long ones; that is all that reinforcement needs. Nothing shown depends on the weather.
 * The kinds "blind" (that policy exactly) and "cue" (looks on gusty legs) are controls.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/courier.h"
#include "tools/environments/env_script.h"

#define DIFFERS     0.5  /* of the first looks of a skill block */
#define AGAIN       0.35 /* of its later looks: nested repairs */
#define CHECK_FAILS 0.05 /* of the looks of a check block */
#define TWO_OFF     0.2  /* of the differences: two cells, as after two errors */
/* Skill blocks that begin next to the target: the way is short, so that acting on a reading, the
 * rarest and slowest of the skills, is a larger part of the training. */
#define BEGINS_NEAR 0.5
#define MAX_REPAIRS 2
/* The cap allows two repairs (a look and two moves) and a last look besides these planned moves. */
#define MAX_MOVES_TWO_OFF (COURIER_MAX_CALLS - COURIER_FIXED_CALLS - 3 * MAX_REPAIRS - 1)

const char *const courier_demo_kinds[COURIER_N_DEMO_KINDS] = {"mix",   "plain", "skill",
                                                              "check", "blind", "cue"};

enum sort { PLAIN, SKILL, CHECK };

static void say_call(struct env_script *s, const struct env_call *call)
{
    char text[COURIER_TEXT];
    size_t n = courier_call_text(call, text);

    env_script_expert(s, text, n);
}

static void say_ok(struct env_script *s, const struct courier_rules *rules,
                   const struct courier_leg *leg)
{
    char text[COURIER_TEXT];
    size_t n = courier_ok_text(rules, *leg, text);

    env_script_world(s, text, n);
}

static void say_reading(struct env_script *s, const struct courier_rules *rules,
                        struct courier_cell shown, const struct courier_leg *leg)
{
    char text[COURIER_TEXT];
    size_t n = courier_reading_text(rules, shown, *leg, text);

    env_script_world(s, text, n);
}

static void say_way(struct env_script *s, const struct courier_rules *rules,
                    const struct courier_leg *leg, struct courier_cell from)
{
    while (!courier_same(from, leg->to)) {
        struct env_call move;
        enum courier_dir dir = COURIER_NORTH;

        courier_next_move(from, leg->to, &move);
        (void)courier_read_dir(&move.arg[0], &dir);
        from = courier_shift(from, dir, (int32_t)move.arg[1].number);
        say_call(s, &move);
        say_ok(s, rules, leg);
    }
}

/* A cell that errors may have led to: a neighbour of the target, or a neighbour of that. */
static struct courier_cell stray_cell(struct env_dice *d, struct courier_cell to, bool may_be_far)
{
    uint32_t first = (uint32_t)(env_roll(d) * 4294967296.0);
    uint32_t second = (uint32_t)(env_roll(d) * 4294967296.0);
    bool far = env_roll(d) < TWO_OFF && may_be_far;
    struct courier_cell one = courier_neighbour(to, first);
    struct courier_cell two = courier_neighbour(one, second);

    return far && !courier_same(two, to) ? two : one;
}

static void say_looks(struct env_script *s, struct env_dice *d, const struct courier_rules *rules,
                      enum sort sort, const struct courier_leg *leg, bool may_be_far)
{
    for (int32_t repairs = 0;; repairs++) {
        double fails = sort == CHECK ? CHECK_FAILS : repairs ? AGAIN : DIFFERS;
        bool differs = env_roll(d) < fails && repairs < MAX_REPAIRS;
        struct courier_cell shown = leg->to;

        if (differs)
            shown = stray_cell(d, leg->to, may_be_far);
        /* After a repair the look is part of the skill; only the first one is the habit. */
        if (sort == SKILL && repairs == 0)
            env_script_masked(s, "WHERE;", 6, 5);
        else
            env_script_expert(s, "WHERE;", 6);
        say_reading(s, rules, shown, leg);
        if (!differs)
            return;
        say_way(s, rules, leg, shown);
    }
}

/* The share of looks of the best policy without weather or memory: long legs, and a part of those
 * one move shorter. */
static double blind_share(int32_t moves)
{
    if (moves >= COURIER_BLIND_ROLLING_MOVES)
        return 1;
    return moves + 1 == COURIER_BLIND_ROLLING_MOVES ? COURIER_BLIND_ROLLING_SHARE : 0;
}

static enum sort choose(const struct courier_rules *rules, const struct env_demo_spec *spec,
                        const struct courier_leg *leg, int32_t moves, double u)
{
    bool late = spec->progress >= ENV_PHASE_2;
    double skill = late ? ENV_SKILL_2 : ENV_SKILL_1;
    double blind = blind_share(moves);
    double looks = blind * rules->looks_long + (1 - blind) * rules->looks_short;

    if (env_kind_is(spec, "plain"))
        return PLAIN;
    if (env_kind_is(spec, "skill"))
        return SKILL;
    if (env_kind_is(spec, "check"))
        return CHECK;
    if (env_kind_is(spec, "cue"))
        return leg->gusty ? CHECK : PLAIN;
    if (env_kind_is(spec, "blind"))
        return u < blind ? CHECK : PLAIN;
    if (u < skill)
        return SKILL;
    return late && u < skill + (1 - skill) * looks ? CHECK : PLAIN;
}

static struct courier_cell roll_cell(struct env_dice *d)
{
    uint8_t x = (uint8_t)env_roll_below(d, COURIER_SIDE);

    return (struct courier_cell){.x = x, .y = (uint8_t)env_roll_below(d, COURIER_SIDE)};
}

int32_t courier_demo(const struct courier_rules *rules, const struct env_demo_spec *spec,
                     struct env_piece *out, int32_t max)
{
    struct env_dice d = {.seed = spec->seed, .index = spec->index};
    struct env_script s = {.out = out, .max = max};
    double u = env_roll(&d); /* drawn first for every kind, so that kinds share their legs */
    struct courier_cell at = roll_cell(&d);
    struct courier_leg leg = {.to = roll_cell(&d),
                              .parcel = (uint8_t)env_roll_below(&d, COURIER_NAMES)};
    int32_t moves = courier_distance(at, leg.to);
    struct env_call call;
    enum sort sort;
    char text[COURIER_TEXT];
    size_t n;

    leg.gusty = env_roll_below(&d, COURIER_GUSTY_IN) == 0;
    sort = choose(rules, spec, &leg, moves, u);
    if (sort == SKILL && env_roll(&d) < BEGINS_NEAR)
        at = stray_cell(&d, leg.to, true);
    n = courier_leg_text(rules, at, leg, text);
    env_script_world(&s, text, n);
    say_way(&s, rules, &leg, at);
    if (sort != PLAIN)
        say_looks(&s, &d, rules, sort, &leg, courier_distance(at, leg.to) <= MAX_MOVES_TWO_OFF);
    courier_make_parcel_call(COURIER_DROP, leg.parcel, &call);
    say_call(&s, &call);
    say_ok(&s, rules, &leg);
    courier_make_call(COURIER_NEXT, &call);
    say_call(&s, &call);
    return s.n;
}
