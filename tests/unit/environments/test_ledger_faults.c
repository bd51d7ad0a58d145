/* test_ledger_faults.c - faults come at their rates, from the seeds alone, and are the same ones
 * whatever the policy or the ablation.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/environments/ledger_play.h"

#include "tools/environments/ledger.h"

static struct ledger bare(struct env_params p, int32_t step)
{
    struct ledger l = {.base = {.params = p, .step = step},
                       .rules = &ledger_rules_plain,
                       .order = {.risky = true}};

    l.now.asked_key = -1;
    return l;
}

static void write_faults_come_at_their_rates(void **state)
{
    static const double noises[] = {0, 0.01, 0.2, 0.9};
    const int32_t n = 300000;

    (void)state;
    for (size_t i = 0; i < sizeof(noises) / sizeof(noises[0]); i++) {
        for (int profile = ENV_STD; profile <= ENV_HARD; profile++) {
            int64_t count[6] = {0};
            double p = noises[i], rate = profile == ENV_HARD ? 0.01 : 0;

            for (int32_t step = 0; step < n; step++) {
                struct ledger l = bare(
                    (struct env_params){
                        .noise = p, .profile = (enum env_profile)profile, .fault_seed = 17},
                    step % 100000);

                count[ledger_write_fault(&l, step / 100000).kind]++;
            }
            assert_rate(count[LEDGER_LOST], n, p / 3);
            assert_rate(count[LEDGER_WRONG_VALUE], n, p / 3);
            assert_rate(count[LEDGER_WRONG_TARGET], n, p / 3);
            assert_rate(count[LEDGER_TRANSIENT], n, rate);
            assert_rate(count[LEDGER_ERROR_BUT_DONE], n, rate);
        }
    }
}

static void reads_are_wrong_in_profile_hard_only(void **state)
{
    const int32_t n = 100000;
    int64_t wrong[2] = {0};
    bool struck;

    (void)state;
    for (int profile = ENV_STD; profile <= ENV_HARD; profile++) {
        for (int32_t step = 0; step < n; step++) {
            struct ledger l = bare(
                (struct env_params){.profile = (enum env_profile)profile, .fault_seed = 4}, step);
            int32_t shown;

            l.account[3] = 50;
            l.start[3] = (uint8_t)(step & 1 ? 50 : 44);
            shown = ledger_read(&l, LEDGER_GET, 3, &struck);
            assert_int_equal(struck, shown != 50);
            assert_in_range(shown, 0, 99);
            if (struck && !(step & 1))
                assert_int_equal(shown, 44); /* stale where there is something older */
            wrong[profile] += struck;
        }
    }
    assert_int_equal(wrong[ENV_STD], 0);
    assert_rate(wrong[ENV_HARD], n, 0.01);
}

static void a_larger_rate_keeps_the_faults_of_a_smaller_one(void **state)
{
    (void)state;
    for (int32_t step = 0; step < 20000; step++) {
        struct ledger low = bare((struct env_params){.noise = 0.01, .fault_seed = 8}, step);
        struct ledger high = bare((struct env_params){.noise = 0.1, .fault_seed = 8}, step);

        if (ledger_write_fault(&low, 0).kind != LEDGER_NO_FAULT)
            assert_int_not_equal(ledger_write_fault(&high, 0).kind, LEDGER_NO_FAULT);
    }
}

/* What each fault does to the accounts, seen from outside: sets of 'a' to 50 in fresh orders. */
static void faults_do_what_they_are_called(void **state)
{
    struct env *e =
        play_new(ledger(), (struct env_params){.horizon = 5000, .noise = 0.9, .fault_seed = 2});
    struct ledger *l = ledger_of(e);
    int64_t seen[6] = {0};

    (void)state;
    for (int32_t i = 0; i < 4000; i++) {
        struct ledger_fault f = ledger_write_fault(l, 0);
        uint8_t before[LEDGER_KEYS];
        struct env_call next = {.tool = LEDGER_NEXT};
        struct env_effect fx;
        struct str out = STR_INIT;
        int changed = 0;

        memcpy(before, l->account, sizeof(before));
        if (before[0] == 50) /* then a lost write cannot be seen */
            l->account[0] = before[0] = l->start[0] = 49;
        (void)play_say(ledger(), e, "SETa50;", ">OK|");
        for (int k = 1; k < LEDGER_KEYS; k++)
            changed += l->account[k] != before[k];
        seen[f.kind]++;
        switch (f.kind) {
        case LEDGER_NO_FAULT:
            assert_int_equal(l->account[0], 50);
            assert_int_equal(changed, 0);
            break;
        case LEDGER_LOST:
            assert_int_equal(l->account[0], before[0]);
            assert_int_equal(changed, 0);
            break;
        case LEDGER_WRONG_VALUE:
            assert_int_not_equal(l->account[0], 50);
            assert_in_range(l->account[0], 0, 99);
            assert_int_equal(changed, 0);
            break;
        case LEDGER_WRONG_TARGET:
            assert_int_equal(l->account[0], before[0]);
            assert_in_range(changed, 0, 1); /* 0: it held 50 already */
            break;
        case LEDGER_TRANSIENT:
        case LEDGER_ERROR_BUT_DONE:
            fail();
        }
        assert_int_equal(l->base.fault, f.kind != LEDGER_NO_FAULT);
        ledger()->call_compact(e, &next, &fx, &out);
        str_deinit(&out);
    }
    for (int k = LEDGER_NO_FAULT; k <= LEDGER_WRONG_TARGET; k++)
        assert_true(seen[k] > 200);
    ledger()->free(e);
}

/* The faults of the first write of every order, under a policy and an ablation. */
static void note_faults(struct env_params p, const char *how, uint8_t *out)
{
    struct env *e = play_new(ledger(), p);
    struct env_effect fx = {0};
    struct env_call call;
    struct str text = STR_INIT;

    while (!fx.done) {
        struct ledger *l = ledger_of(e);

        out[l->base.step] = (uint8_t)ledger_write_fault(l, 0).kind;
        ledger()->expert(e, how, &call);
        str_clear(&text);
        ledger()->call_compact(e, &call, &fx, &text);
    }
    str_deinit(&text);
    ledger()->free(e);
}

static void ablations_and_policies_meet_the_same_faults(void **state)
{
    uint8_t want[300], got[300];

    (void)state;
    for (int profile = ENV_STD; profile <= ENV_HARD; profile++) {
        struct env_params p = {.horizon = 300,
                               .noise = 0.2,
                               .profile = (enum env_profile)profile,
                               .task_seed = 70,
                               .fault_seed = 71};

        note_faults(p, "plain", want);
        for (int a = ENV_ABLATE_NONE; a < ENV_ABLATIONS; a++) {
            p.ablation = (enum env_ablation)a;
            note_faults(p, "plain", got);
            assert_memory_equal(got, want, sizeof(want));
            note_faults(p, "check", got);
            assert_memory_equal(got, want, sizeof(want));
        }
    }
}

static void equal_seeds_give_equal_transcripts(void **state)
{
    struct env_params p = {.horizon = 100, .noise = 0.2, .task_seed = 1, .fault_seed = 2};
    struct str texts[4] = {STR_INIT, STR_INIT, STR_INIT, STR_INIT};

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct env *e;

        p.task_seed = i == 2 ? 3 : 1;
        p.fault_seed = i == 3 ? 3 : 2;
        e = play_new(ledger(), p);
        (void)play_expert(ledger(), e, "check", &texts[i]);
        ledger()->free(e);
    }
    assert_string_equal(str_cstr(&texts[0]), str_cstr(&texts[1]));
    assert_string_not_equal(str_cstr(&texts[0]), str_cstr(&texts[2]));
    assert_string_not_equal(str_cstr(&texts[0]), str_cstr(&texts[3]));
    for (int i = 0; i < 4; i++)
        str_deinit(&texts[i]);
}

/* Pinned: a change of these draws would silently change every recorded figure. */
static void draws_are_pinned(void **state)
{
    struct env *e = play_new(
        ledger(),
        (struct env_params){
            .horizon = 5, .noise = 0.5, .profile = ENV_HARD, .task_seed = 7, .fault_seed = 8});
    struct str text = STR_INIT;

    (void)state;
    (void)play_expert(ledger(), e, "check", &text);
    assert_string_equal(str_cstr(&text),
                        "ORDh+7|GETh;>84|SETh91;>OK|GETh;>84|UNDO;>OK|SETh91;>OK|GETh;>91|NEXT;"
                        "ORDd-8|GETd;>69|SETd61;>OK|GETd;>61|NEXT;"
                        "ORDa+1|GETa;>83|SETa84;>OK|GETa;>84|NEXT;"
                        "ORDd-3|GETd;>61|SETd58;>OK|GETd;>61|UNDO;>OK|SETd58;>OK|GETd;>61|UNDO;>OK|"
                        "SETd58;>OK|GETd;>61|NEXT;"
                        "ORDc-9|GETc;>58|SETc49;>OK|GETc;>49|NEXT;>DONE|");
    str_deinit(&text);
    ledger()->free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_faults_come_at_their_rates),
        cmocka_unit_test(reads_are_wrong_in_profile_hard_only),
        cmocka_unit_test(a_larger_rate_keeps_the_faults_of_a_smaller_one),
        cmocka_unit_test(faults_do_what_they_are_called),
        cmocka_unit_test(ablations_and_policies_meet_the_same_faults),
        cmocka_unit_test(equal_seeds_give_equal_transcripts),
        cmocka_unit_test(draws_are_pinned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
