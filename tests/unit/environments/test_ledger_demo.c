/* test_ledger_demo.c - demonstrations are right, cover the task, and mask what the recipe masks;
 * the probe asks every question once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/environments/ledger_play.h"

#include <math.h>
#include <stdio.h>

#define MAX_PIECES 64

struct block {
    struct env_piece piece[MAX_PIECES];
    int32_t n;
    int32_t gets, sets, undos, masked;
    bool looks;
    int key, old, delta, asked;
};

static int number_at(const char *text)
{
    return 10 * (text[0] - '0') + (text[1] - '0');
}

/* Reads a demonstration and holds it to the rules: alternation, right sums, right consequences. */
static void read_block(const struct env_demo_spec *spec, struct block *b)
{
    int shown = -1;
    bool wrote = false, undone = false, ended = false;

    memset(b, 0, sizeof(*b));
    b->n = ledger()->demo(spec, b->piece, MAX_PIECES);
    assert_in_range(b->n, 6, 30);
    assert_memory_equal(b->piece[0].text, "ORD", 3);
    b->key = b->piece[0].text[3];
    b->delta = (b->piece[0].text[4] == '-' ? -1 : 1) * (b->piece[0].text[5] - '0');
    assert_string_equal(b->piece[0].text + 6, "|");
    for (int32_t i = 0; i < b->n; i++) {
        const struct env_piece *p = &b->piece[i];
        struct env_call call;
        char text[32];

        assert_false(ended);
        assert_true(p->expert || !p->masked);
        b->masked += p->masked;
        if (!p->expert) {
            if (p->text[0] == '>' && p->text[1] != 'O')
                shown = number_at(p->text + 1);
            continue;
        }
        (void)snprintf(text, sizeof(text), "%s", p->text);
        if (p->masked) { /* the word and the rest are one call */
            assert_string_equal(p->text, "GET");
            (void)snprintf(text, sizeof(text), "GET%s", b->piece[++i].text);
            assert_true(b->piece[i].expert && !b->piece[i].masked);
        }
        ledger()->parse_compact(NULL, text, strlen(text), &call);
        if (wrote && shown >= 0) /* after a look: what it showed decides */
            assert_int_equal(call.tool, shown == b->asked ? 0 : 3);
        switch (call.tool) {
        case 0:
            ended = true;
            assert_true(wrote);
            break;
        case 1:
            b->gets++;
            b->looks |= wrote;
            assert_int_equal(text[3], b->key);
            break;
        case 2:
            if (!wrote && !undone) {
                b->old = shown;
                b->asked = (shown + b->delta + 100) % 100;
            }
            assert_int_equal(number_at(text + 4), b->asked);
            assert_int_equal(text[3], b->key);
            b->sets++;
            wrote = true;
            break;
        case 3:
            b->undos++;
            undone = true;
            wrote = false;
            break;
        default:
            fail_msg("\"%s\" is not a call of a demonstration", text);
        }
        shown = -1;
    }
    assert_true(ended);
    assert_int_equal(b->sets, b->undos + 1);
}

static void assert_share(int64_t hits, int64_t n, double from, double to)
{
    double share = (double)hits / (double)n;

    if (share < from || share > to)
        fail_msg("%.4f is not in %.4f .. %.4f", share, from, to);
}

struct mixture {
    int64_t plain, skill, check, mismatches, nested;
};

static struct mixture count(const char *kind, double progress, int64_t n)
{
    struct mixture m = {0};

    for (int64_t i = 0; i < n; i++) {
        struct env_demo_spec spec = {
            .seed = 9, .index = (uint64_t)i, .progress = progress, .kind = kind};
        struct block b;

        read_block(&spec, &b);
        if (!b.looks)
            m.plain++;
        else if (b.masked)
            m.skill++;
        else
            m.check++;
        m.mismatches += b.undos > 0;
        m.nested += b.undos > 1;
        assert_in_range(b.masked, 0, 1);
        assert_in_range(b.undos, 0, 2);
        assert_int_equal(b.gets, b.looks ? 2 + b.undos : 1);
    }
    return m;
}

static void the_mixture_follows_the_training(void **state)
{
    const int64_t n = 40000;
    struct mixture m = count(NULL, 0.3, n);

    (void)state;
    assert_share(m.plain, n, 0.49, 0.51);
    assert_share(m.skill, n, 0.49, 0.51);
    assert_int_equal(m.check, 0);
    assert_share(m.mismatches, m.skill, 0.48, 0.52);
    assert_share(m.nested, m.mismatches, 0.30, 0.40);
    m = count("mix", 0.9, n);
    assert_share(m.skill, n, 0.24, 0.26);
    assert_share(m.check, m.plain + m.check, 0.045, 0.065);
}

static void kinds_are_kept(void **state)
{
    struct mixture m;

    (void)state;
    for (int32_t i = 0; i < ledger()->n_demo_kinds; i++)
        assert_non_null(ledger()->demo_kinds[i]);
    m = count("plain", 0, 2000);
    assert_int_equal(m.plain, 2000);
    m = count("skill", 0, 2000);
    assert_int_equal(m.skill, 2000);
    m = count("check", 0, 4000);
    assert_int_equal(m.check, 4000);
    assert_share(m.mismatches, 4000, 0.03, 0.07);
}

static void sums_and_accounts_are_covered(void **state)
{
    bool sum[100][19] = {{false}}, account[8] = {false}, sign_zero = false;
    int32_t n_sums = 0;

    (void)state;
    for (uint64_t i = 0; i < 30000; i++) {
        struct env_demo_spec spec = {.seed = 1, .index = i, .kind = "plain"};
        struct block b;

        read_block(&spec, &b);
        assert_in_range(b.key, 'a', 'h');
        account[b.key - 'a'] = true;
        sign_zero |= b.delta == 0;
        n_sums += !sum[b.old][b.delta + 9];
        sum[b.old][b.delta + 9] = true;
    }
    assert_false(sign_zero);
    assert_int_equal(n_sums, 1800);
    for (int k = 0; k < 8; k++)
        assert_true(account[k]);
}

static void demonstrations_depend_on_seed_and_index_alone(void **state)
{
    struct env_piece a[MAX_PIECES], b[MAX_PIECES];
    struct env_demo_spec spec = {.seed = 5, .index = 77, .progress = 0.1};
    int32_t n = ledger()->demo(&spec, a, MAX_PIECES);

    (void)state;
    assert_int_equal(ledger()->demo(&spec, b, MAX_PIECES), n);
    assert_memory_equal(a, b, sizeof(a[0]) * (size_t)n);
    assert_int_equal(ledger()->demo(&spec, b, 3), 3); /* never more than there is room for */
    spec.seed = 6;
    (void)ledger()->demo(&spec, b, MAX_PIECES);
    assert_string_not_equal(a[2].text, b[2].text);
}

static void the_probe_asks_everything_once(void **state)
{
    static bool sum[100][19], pair[100][100];
    int32_t n[3] = {0};

    (void)state;
    assert_int_equal(ledger()->n_probes, 11800);
    for (int32_t i = 0; i < ledger()->n_probes; i++) {
        struct env_probe p;
        char key, sign, get_key, set_key, look_key;
        int amount, old, written, shown, fields;

        ledger()->probe(i, &p);
        fields = sscanf(p.prompt, "ORD%c%c%1d|GET%c;>%2d|SET%c%2d;>OK|GET%c;>%2d|", &key, &sign,
                        &amount, &get_key, &old, &set_key, &written, &look_key, &shown);
        if (sign == '-')
            amount = -amount;
        assert_int_equal(key, get_key);
        if (strcmp(p.category, "sum") == 0) {
            char want[16];

            assert_int_equal(fields, 5);
            (void)snprintf(want, sizeof(want), "SET%c%02d;", key, (old + amount + 100) % 100);
            assert_string_equal(p.expected, want);
            assert_false(sum[old][amount + 9]);
            sum[old][amount + 9] = true;
            n[0]++;
            continue;
        }
        assert_int_equal(fields, 9);
        assert_int_equal(written, (old + amount + 100) % 100);
        assert_int_equal(key, set_key);
        assert_int_equal(key, look_key);
        assert_false(pair[written][shown]);
        pair[written][shown] = true;
        assert_string_equal(p.category, written == shown ? "match" : "mismatch");
        assert_string_equal(p.expected, written == shown ? "NEXT;" : "UNDO;");
        n[written == shown ? 2 : 1]++;
    }
    assert_int_equal(n[0], 1800);
    assert_int_equal(n[1], 9900);
    assert_int_equal(n[2], 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mixture_follows_the_training),
        cmocka_unit_test(kinds_are_kept),
        cmocka_unit_test(sums_and_accounts_are_covered),
        cmocka_unit_test(demonstrations_depend_on_seed_and_index_alone),
        cmocka_unit_test(the_probe_asks_everything_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
