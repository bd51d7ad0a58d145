/* test_itinerary_demo.c - demonstrations draw the right consequence from every list, mask what the
 * recipe masks, and cover all cases; the probe expects the same.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/environments/env_play.h"

#include "tools/environments/itinerary.h"

enum { NEXT = ITINERARY_NEXT, BOOK = ITINERARY_BOOK, CANCEL = ITINERARY_CANCEL };

/* What the last answers said; from them alone the next call must follow. */
struct memory {
    char ref[4]; /* of the last confirmed booking; "": none, or cancelled */
    char best;   /* the offer that should be booked */
    int32_t listed;
    char first[4];
    bool after_list, booked;
};

static void hear_offers(struct memory *m, const char *text)
{
    int32_t cheapest = 100;

    for (const char *at = strstr(text, "OFFER"); at; at = strstr(at + 5, "OFFER")) {
        int32_t price = 10 * (at[6] - '0') + (at[7] - '0');

        if (at[12] != '0' && price < cheapest) {
            cheapest = price;
            m->best = at[5];
        }
    }
}

static void hear(struct memory *m, const char *text)
{
    if (strstr(text, "SEAT")) {
        hear_offers(m, text);
    } else if (strncmp(text, ">OK", 3) == 0 && strlen(text) == 7) {
        memcpy(m->ref, text + 3, 3);
    } else if (strcmp(text, ">TIMEOUT|") == 0) {
        m->ref[0] = '\0';
    } else if (strcmp(text, ">NULL|") == 0) {
        m->listed = 0;
        m->after_list = true;
    } else if (strstr(text, "OFFER")) {
        m->listed = strlen(text) > 11 ? 2 : 1;
        memcpy(m->first, text + 1, 3);
        m->after_list = true;
    }
}

struct lesson {
    int32_t looks, cancels, books, masked, timeouts, twice;
};

static void assert_follows(const struct memory *m, const struct env_call *call)
{
    if (!m->after_list)
        return;
    if (m->listed == 1) {
        assert_int_equal(call->tool, NEXT);
    } else if (m->listed == 2) {
        assert_int_equal(call->tool, CANCEL);
        assert_memory_equal(call->arg[0].text + 1, m->first, 3);
        assert_memory_not_equal(m->ref, m->first, 3);
    } else if (m->ref[0] != '\0') {
        assert_int_equal(call->tool, CANCEL);
        assert_memory_equal(call->arg[0].text + 1, m->ref, 3);
    } else {
        assert_int_equal(call->tool, BOOK);
    }
}

static void act(struct memory *m, const struct env_call *call, struct lesson *l)
{
    assert_follows(m, call);
    m->after_list = false;
    l->looks += call->tool == ITINERARY_LIST;
    l->cancels += call->tool == CANCEL;
    l->books += call->tool == BOOK;
    if (call->tool == CANCEL && memcmp(m->ref, call->arg[0].text + 1, 3) == 0)
        m->ref[0] = '\0';
    if (call->tool == BOOK)
        assert_int_equal(call->arg[0].text[1], m->best);
}

static struct lesson follow(const struct env_demo_spec *spec)
{
    const struct env_ops *ops = env_find("itinerary");
    struct env_piece piece[ENV_MAX_PIECES];
    int32_t n = ops->demo(spec, piece, ENV_MAX_PIECES);
    struct memory m = {.ref = ""};
    struct lesson l = {0};
    struct str text = STR_INIT;

    for (int32_t i = 0; i < n; i++) {
        struct env_call call;

        if (!piece[i].expert) {
            hear(&m, piece[i].text);
            l.timeouts += strcmp(piece[i].text, ">TIMEOUT|") == 0;
            l.twice += m.after_list && m.listed == 2;
            continue;
        }
        str_clear(&text);
        str_puts(&text, piece[i].text);
        if (piece[i].masked) {
            l.masked++;
            str_puts(&text, piece[++i].text);
        }
        ops->parse_compact(NULL, str_cstr(&text), text.len, &call);
        act(&m, &call, &l);
    }
    str_deinit(&text);
    return l;
}

static void skills_cover_every_case(void **state)
{
    const int32_t n = 10000;
    int64_t mended = 0, cancels = 0, timeouts = 0, twice = 0, nested = 0;

    (void)state;
    for (uint64_t i = 0; i < (uint64_t)n; i++) {
        struct env_demo_spec spec = {.seed = 2, .index = i, .kind = "skill"};
        struct lesson l = follow(&spec);

        assert_int_equal(l.masked, l.twice ? 2 : 1);
        assert_true(l.looks > 0);
        mended += l.books > 1;
        nested += l.books > 2;
        cancels += l.cancels > 0;
        timeouts += l.timeouts > 0;
        twice += l.twice > 0;
    }
    assert_rate(twice, n, 0.1);
    assert_between(play_share(timeouts, n), 0.42, 0.52);
    assert_between(play_share(mended, n), 0.50, 0.60);
    assert_between(play_share(nested, n), 0.12, 0.20);
    assert_between(play_share(cancels, n), 0.35, 0.50);
}

static void the_mixture_follows_the_training(void **state)
{
    const int32_t n = 20000;

    (void)state;
    for (int late = 0; late < 2; late++) {
        int64_t skill = 0, check = 0, plain = 0;

        for (uint64_t i = 0; i < (uint64_t)n; i++) {
            struct env_demo_spec spec = {.seed = 2, .index = i, .progress = late ? 0.9 : 0.2};
            struct lesson l = follow(&spec);

            skill += l.masked > 0;
            check += l.masked == 0 && l.looks > 0;
            plain += l.looks == 0;
        }
        assert_rate(skill, n, late ? 0.25 : 0.5);
        assert_rate(check, check + plain, late ? 0.055 : 0);
    }
}

static void controls_do_what_they_are_called(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 3000; i++) {
        struct env_demo_spec spec = {.seed = 2, .index = i, .kind = "plain"};
        struct lesson l = follow(&spec);

        assert_int_equal(l.looks + l.masked + l.cancels, 0);
        assert_int_equal(l.books, 1);
        spec.kind = "check";
        l = follow(&spec);
        assert_true(l.looks > 0 && l.masked == 0);
    }
}

/* What a probe expects is what follows from what it shows. */
static void probes_expect_what_follows(void **state)
{
    const struct env_ops *ops = env_find("itinerary");
    int32_t n_after_list = 0;

    (void)state;
    for (int32_t i = 0; i < ops->n_probes; i++) {
        struct memory m = {.ref = ""};
        struct lesson l = {0};
        struct env_probe p;
        struct env_call call;

        ops->probe(i, &p);
        for (const char *at = p.prompt; *at;) {
            const char *end = at + strcspn(at, "|;") + 1;
            char part[64] = "";

            memcpy(part, at, (size_t)(end - at));
            if (part[0] == '>') {
                hear(&m, part);
            } else if (end[-1] == ';') {
                ops->parse_compact(NULL, part, strlen(part), &call);
                act(&m, &call, &l);
            }
            at = end;
        }
        ops->parse_compact(NULL, p.expected, strlen(p.expected), &call);
        n_after_list += m.after_list;
        act(&m, &call, &l);
        if (strcmp(p.category, "search") == 0) {
            assert_memory_equal(p.expected, "SEARCH", 6);
            assert_memory_equal(p.expected + 6, p.prompt + 3, 4);
        }
    }
    assert_int_equal(n_after_list, 500 + 500 + 250 + 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skills_cover_every_case),
        cmocka_unit_test(the_mixture_follows_the_training),
        cmocka_unit_test(controls_do_what_they_are_called),
        cmocka_unit_test(probes_expect_what_follows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
