/* test_courier_demo.c - demonstrations arrive where they should, mask what the recipe masks, and
 * say nothing of the weather; the probe asks every question once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/environments/env_play.h"

#include <stdio.h>

#include "tools/environments/courier.h"

struct lesson {
    int32_t moves, looks, mismatches, masked;
    bool gusty;
};

static struct courier_cell cell_at(const char *text)
{
    int x = 0, y = 0;

    assert_int_equal(sscanf(text, "%2d%2d", &x, &y), 2);
    return (struct courier_cell){(uint8_t)x, (uint8_t)y};
}

/* Follows a demonstration on the grid: by its own reckoning it must stand on the target when it
 * looks and when it drops. */
static struct lesson follow(const struct env_ops *ops, const struct env_demo_spec *spec)
{
    struct env_piece piece[ENV_MAX_PIECES];
    int32_t n = ops->demo(spec, piece, ENV_MAX_PIECES);
    struct courier_cell at = cell_at(piece[0].text + 2), to = cell_at(piece[0].text + 10);
    struct lesson l = {.moves = courier_distance(at, to),
                       .gusty = strstr(piece[0].text, "GUSTY") != NULL};
    bool dropped = false, looked = false;

    for (int32_t i = 1; i < n; i++) {
        const char *text = piece[i].text;
        enum courier_dir dir = COURIER_NORTH;
        struct env_value letter = {.is_text = true};

        if (piece[i].masked) {
            assert_string_equal(text, "WHERE");
            assert_string_equal(piece[i + 1].text, ";");
            l.masked++;
        }
        if (strncmp(text, "MOVE", 4) == 0) {
            letter.text[0] = text[4];
            assert_true(courier_read_dir(&letter, &dir));
            at = courier_shift(at, dir, text[5] - '0');
            assert_false(dropped);
            looked = false;
        } else if (strncmp(text, "WHERE", 5) == 0) {
            assert_true(courier_same(at, to));
            assert_false(looked);
            l.looks++;
            looked = true;
        } else if (strncmp(text, ">AT", 3) == 0) {
            at = cell_at(text + 3);
            l.mismatches += !courier_same(at, to);
        } else if (strncmp(text, "DROP", 4) == 0) {
            assert_true(courier_same(at, to));
            assert_memory_equal(text + 4, piece[0].text + 14, 2);
            dropped = true;
        }
    }
    assert_true(dropped);
    assert_string_equal(piece[n - 1].text, "NEXT;");
    return l;
}

static double blind_rate(int32_t moves)
{
    if (moves >= COURIER_BLIND_ROLLING_MOVES)
        return 1;
    return moves + 1 == COURIER_BLIND_ROLLING_MOVES ? COURIER_BLIND_ROLLING_SHARE : 0;
}

/* Trained decisions by weather and length. */
static void count_looks(const char *kind, double progress, int64_t looks[2][9], int64_t n[2][9])
{
    memset(looks, 0, 2 * sizeof(looks[0]));
    memset(n, 0, 2 * sizeof(n[0]));
    for (uint64_t i = 0; i < 20000; i++) {
        struct env_demo_spec spec = {.seed = 8, .index = i, .progress = progress, .kind = kind};
        struct lesson l = follow(env_find("courier"), &spec);

        if (l.masked)
            continue;
        n[l.gusty][l.moves]++;
        looks[l.gusty][l.moves] += l.looks > 0;
    }
}

static void the_mixture_goes_by_length_and_not_by_weather(void **state)
{
    int64_t looks[2][9], n[2][9];

    (void)state;
    count_looks("mix", 0.9, looks, n);
    for (int gusty = 0; gusty < 2; gusty++) {
        for (int32_t moves = 0; moves < 9; moves++)
            assert_rate(looks[gusty][moves], n[gusty][moves], 0.1 + 0.8 * blind_rate(moves));
    }
    count_looks("blind", 0.9, looks, n);
    for (int gusty = 0; gusty < 2; gusty++) {
        for (int32_t moves = 0; moves < 9; moves++)
            assert_rate(looks[gusty][moves], n[gusty][moves], blind_rate(moves));
    }
    count_looks("cue", 0.9, looks, n);
    for (int32_t moves = 0; moves < 9; moves++) {
        assert_int_equal(looks[0][moves], 0);
        assert_int_equal(looks[1][moves], n[1][moves]);
    }
}

static void skills_are_shown_and_habits_masked(void **state)
{
    int64_t mismatches = 0, nested = 0;
    const int32_t n = 5000;

    (void)state;
    for (uint64_t i = 0; i < (uint64_t)n; i++) {
        struct env_demo_spec spec = {.seed = 2, .index = i, .kind = "skill"};
        struct lesson l = follow(env_find("courier"), &spec);

        assert_int_equal(l.masked, 1);
        assert_int_equal(l.looks, 1 + l.mismatches);
        mismatches += l.mismatches > 0;
        nested += l.mismatches > 1;
    }
    assert_rate(mismatches, n, 0.5);
    assert_rate(nested, mismatches, 0.35);
    for (uint64_t i = 0; i < 500; i++) {
        struct env_demo_spec spec = {.seed = 2, .index = i, .kind = "plain"};

        assert_int_equal(follow(env_find("courier_plain"), &spec).looks, 0);
        spec.kind = "check";
        assert_true(follow(env_find("courier_plain"), &spec).looks > 0);
    }
}

static void the_probe_asks_everything_once(void **state)
{
    const struct env_ops *ops = env_find("courier");
    static bool matched[COURIER_CELLS], shown[COURIER_CELLS][COURIER_CELLS];
    int32_t n[3] = {0};

    (void)state;
    assert_int_equal(ops->n_probes, 880 + 256 + 960);
    for (int32_t i = 0; i < ops->n_probes; i++) {
        struct env_probe p;
        struct courier_cell to, reading;
        const char *look;
        int32_t a, b;

        ops->probe(i, &p);
        look = strstr(p.prompt, "WHERE;>");
        to = cell_at(p.prompt + 10);
        a = to.y * COURIER_SIDE + to.x;
        if (strcmp(p.category, "move") == 0) {
            assert_null(look);
            assert_memory_equal(p.expected, "MOVE", 4);
            n[0]++;
            continue;
        }
        assert_non_null(look);
        reading = cell_at(look + 9);
        b = reading.y * COURIER_SIDE + reading.x;
        if (strcmp(p.category, "match") == 0) {
            assert_int_equal(a, b);
            assert_false(matched[a]);
            matched[a] = true;
            assert_memory_equal(p.expected, "DROP", 4);
            n[1]++;
        } else {
            assert_string_equal(p.category, "mismatch");
            assert_int_equal(abs(to.x - reading.x) + abs(to.y - reading.y), 1);
            assert_false(shown[a][b]);
            shown[a][b] = true;
            assert_memory_equal(p.expected, "MOVE", 4);
            assert_memory_equal(p.expected + 5, "1;", 2);
            n[2]++;
        }
    }
    assert_int_equal(n[0], 880);
    assert_int_equal(n[1], 256);
    assert_int_equal(n[2], 960);
}

/* The expert, put where a probe leaves off, says what the probe expects. */
static void the_expert_passes_the_probe(void **state)
{
    const struct env_ops *ops = env_find("courier");

    (void)state;
    for (int32_t i = 0; i < COURIER_N_STEERS; i++) {
        struct env_probe p;
        struct env *e = play_new(ops, (struct env_params){.horizon = 1000});
        struct courier *c = courier_of(e);
        struct str said = STR_INIT;
        struct env_effect fx;
        struct env_call call;

        ops->probe(i, &p);
        c->is = c->at = cell_at(p.prompt + 2);
        c->leg.to = cell_at(p.prompt + 10);
        c->leg.gusty = strstr(p.prompt, "GUSTY") != NULL;
        for (const char *at = strchr(p.prompt, '|') + 1; *at; at += said.len) {
            ops->expert(e, "plain", &call);
            str_clear(&said);
            ops->render_call(&call, &said);
            ops->call_compact(e, &call, &fx, &said);
            assert_memory_equal(str_cstr(&said), at, said.len);
        }
        ops->expert(e, "plain", &call);
        str_clear(&said);
        ops->render_call(&call, &said);
        assert_string_equal(str_cstr(&said), p.expected);
        str_deinit(&said);
        ops->free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mixture_goes_by_length_and_not_by_weather),
        cmocka_unit_test(skills_are_shown_and_habits_masked),
        cmocka_unit_test(the_probe_asks_everything_once),
        cmocka_unit_test(the_expert_passes_the_probe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
