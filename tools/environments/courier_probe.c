/* courier_probe.c - the questions that a base model must answer before reinforcement starts: every
 * move between any two columns and any two rows, and the next call after a reading at every target:
 * the drop if it agrees, the way back if it shows a neighbour.
 *
 * Whether to look is never asked: no question ends at an arrival before a look. Moves are expected
 * as the demonstrations make them: east and west first, the longest first.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/courier.h"
#include "tools/environments/env_text.h"

/* Writes n_moves of the way to `to` into out; returns where they lead. */
static struct courier_cell say_way(const struct courier_rules *rules, const struct courier_leg *leg,
                                   struct courier_cell from, int32_t n_moves, struct env_probe *out,
                                   size_t *at)
{
    for (int32_t i = 0; i < n_moves; i++) {
        struct env_call move;
        enum courier_dir dir = COURIER_NORTH;
        char text[COURIER_TEXT];

        courier_next_move(from, leg->to, &move);
        (void)courier_read_dir(&move.arg[0], &dir);
        from = courier_shift(from, dir, (int32_t)move.arg[1].number);
        text_append(out->prompt, sizeof(out->prompt), at, text, courier_call_text(&move, text));
        text_append(out->prompt, sizeof(out->prompt), at, text, courier_ok_text(rules, *leg, text));
    }
    return from;
}

static size_t say_leg(const struct courier_rules *rules, struct courier_cell from,
                      struct courier_leg leg, struct env_probe *out)
{
    char text[COURIER_TEXT];
    size_t at = 0;

    text_append(out->prompt, sizeof(out->prompt), &at, text,
                courier_leg_text(rules, from, leg, text));
    return at;
}

static void expect(const struct env_call *call, const char *category, struct env_probe *out)
{
    char text[COURIER_TEXT];
    size_t at = 0;

    text_append(out->expected, sizeof(out->expected), &at, text, courier_call_text(call, text));
    out->category = category;
}

/* The i-th of: every pair of two different lines of an axis, every move between them. */
static void steer_at(int32_t i, uint8_t *from, uint8_t *to, int32_t *stage)
{
    for (int32_t pair = 0; pair < COURIER_CELLS; pair++) {
        struct courier_cell a = {(uint8_t)(pair / COURIER_SIDE), 0};
        struct courier_cell b = {(uint8_t)(pair % COURIER_SIDE), 0};
        int32_t moves = courier_distance(a, b);

        if (i < moves) {
            *from = a.x;
            *to = b.x;
            *stage = i;
            return;
        }
        i -= moves;
    }
}

static void probe_steer(const struct courier_rules *rules, int32_t i, struct env_probe *out)
{
    bool second_axis = i >= COURIER_N_STEERS / 2;
    int32_t k = second_axis ? i - COURIER_N_STEERS / 2 : i;
    uint8_t a = 0, b = 0;
    int32_t stage = 0;
    /* The other axis does not matter here; spread it over the questions. */
    uint8_t c = (uint8_t)(k * 5 % COURIER_SIDE), d = (uint8_t)(k * 7 / 3 % COURIER_SIDE);
    struct courier_leg leg = {.parcel = (uint8_t)(k % COURIER_NAMES), .gusty = k % 2 == 1};
    struct courier_cell from;
    struct env_call move;
    size_t at;

    steer_at(k, &a, &b, &stage);
    from = second_axis ? (struct courier_cell){c, a} : (struct courier_cell){a, c};
    leg.to = second_axis ? (struct courier_cell){d, b} : (struct courier_cell){b, d};
    if (second_axis)
        stage += courier_distance((struct courier_cell){c, 0}, (struct courier_cell){d, 0});
    at = say_leg(rules, from, leg, out);
    from = say_way(rules, &leg, from, stage, out, &at);
    courier_next_move(from, leg.to, &move);
    expect(&move, "move", out);
}

static void probe_reading(const struct courier_rules *rules, int32_t i, struct courier_cell to,
                          struct courier_cell shown, struct env_probe *out)
{
    struct courier_leg leg = {
        .to = to, .parcel = (uint8_t)(i % COURIER_NAMES), .gusty = i % 2 == 1};
    struct courier_cell from = {(uint8_t)(i * 3 % COURIER_SIDE), (uint8_t)(i / 7 % COURIER_SIDE)};
    size_t at = say_leg(rules, from, leg, out), n;
    char text[COURIER_TEXT];
    struct env_call then;

    (void)say_way(rules, &leg, from, courier_distance(from, to), out, &at);
    n = courier_reading_text(rules, shown, leg, text);
    text_append(out->prompt, sizeof(out->prompt), &at, "WHERE;", 6);
    text_append(out->prompt, sizeof(out->prompt), &at, text, n);
    if (courier_same(shown, to))
        courier_make_parcel_call(COURIER_DROP, leg.parcel, &then);
    else
        courier_next_move(shown, to, &then);
    expect(&then, courier_same(shown, to) ? "match" : "mismatch", out);
}

/* The i-th of every cell and each cell beside it. */
static void pair_at(int32_t i, struct courier_cell *to, struct courier_cell *shown)
{
    for (int32_t n = 0; n < COURIER_CELLS * COURIER_N_DIRS; n++) {
        enum courier_dir dir = (enum courier_dir)(n % COURIER_N_DIRS);

        to->x = (uint8_t)(n / COURIER_N_DIRS % COURIER_SIDE);
        to->y = (uint8_t)(n / COURIER_N_DIRS / COURIER_SIDE);
        *shown = courier_shift(*to, dir, 1);
        if (!courier_at_wall(*to, dir) && i-- == 0)
            return;
    }
}

void courier_probe(const struct courier_rules *rules, int32_t i, struct env_probe *out)
{
    struct courier_cell to, shown;

    if (i < COURIER_N_STEERS) {
        probe_steer(rules, i, out);
        return;
    }
    i -= COURIER_N_STEERS;
    if (i < COURIER_N_MATCHES) {
        to = (struct courier_cell){(uint8_t)(i % COURIER_SIDE), (uint8_t)(i / COURIER_SIDE)};
        probe_reading(rules, i, to, to, out);
        return;
    }
    i -= COURIER_N_MATCHES;
    pair_at(i, &to, &shown);
    probe_reading(rules, i, to, shown, out);
}
