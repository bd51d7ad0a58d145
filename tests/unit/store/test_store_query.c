/* test_store_query.c - runs by prefix, steps in order, tokens beside them, episodes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/store/store_fixture.h"

#include "runtime/base/memory.h"
#include "runtime/store/store_db.h"

static struct store_reader *reader(struct store_fixture *f)
{
    struct store_reader *q = NULL;

    assert_ok(store_reader_open(f->store, &q, why));
    return q;
}

static void test_ids(void **state)
{
    enum { N = 20 };
    struct store_fixture *f = *state;
    struct store_reader *q;
    struct error err = ERROR_INIT;
    char uuid[N][37], found[37], shortest[37];

    fixture_open(f);
    q = reader(f);
    assert_int_equal(query_resolve_run(q, "last", found, &err), STATUS_NOT_FOUND);
    for (int i = 0; i < N; i++) {
        struct run *r = fixture_run(f->store);

        memcpy(uuid[i], run_uuid(r), 37);
        run_close(r);
    }
    assert_ok(query_resolve_run(q, "last", found, why));
    assert_string_equal(found, uuid[N - 1]);
    for (int i = 0; i < N; i++) {
        size_t n;

        assert_ok(query_resolve_run(q, uuid[i], found, why));
        assert_string_equal(found, uuid[i]);
        assert_ok(query_short_id(q, uuid[i], shortest, why));
        n = strlen(shortest);
        assert_true(n >= 6);
        assert_ok(query_resolve_run(q, shortest, found, why));
        assert_string_equal(found, uuid[i]);
        shortest[n - 1] = '\0';
        if (n > 6) /* one less is not enough */
            assert_int_equal(query_resolve_run(q, shortest, found, &err), STATUS_INVALID);
    }
    assert_int_equal(query_resolve_run(q, "zz", found, &err), STATUS_NOT_FOUND);
    assert_int_equal(query_resolve_run(q, "", found, &err), STATUS_NOT_FOUND);
    store_reader_close(q);
}

struct list {
    char text[4096];
    int stop_after;
};

static bool list_run(void *ctx, const struct run_row *r)
{
    struct list *l = ctx;
    size_t n = strlen(l->text);

    (void)snprintf(l->text + n, sizeof(l->text) - n, "%s:%s:%lld:%lld:%lld:%s%s ", r->name,
                   run_status_word(r->status), (long long)r->n_steps, (long long)r->tok_in,
                   (long long)r->tok_out, jv_get_string(r->output, "-"), r->owned ? ":owned" : "");
    return --l->stop_after != 0;
}

static struct run *named_run(struct store *s, const char *name)
{
    struct run_spec spec = {.kind = "eval", .name = name, .seed = 0x8000000000000000u};
    struct run *r = NULL;

    assert_ok(run_create(s, &spec, &r, why));
    return r;
}

static void test_runs(void **state)
{
    struct store_fixture *f = *state;
    struct run *a = named_run(fixture_open(f), "a"), *b = named_run(f->store, "b");
    struct store_reader *q = reader(f);
    struct json *output = jv_string("done");
    struct list l = {.text = ""};
    char uuid[37];

    journal_intend(a, &(struct step_intent){.path = "m", .kind = "model"});
    fixture_finish(a, "m", 0, STEP_OK, "1");
    fixture_intend(a, "t", 0, EFFECT_NONE, NULL); /* a tool: its tokens do not count */
    fixture_finish(a, "t", 0, STEP_OK, "1");
    run_set_status(a, RUN_OK, output, NULL);
    jv_unref(output);
    run_close(a);
    memcpy(uuid, run_uuid(b), sizeof(uuid));
    run_set_status(b, RUN_WAITING, NULL, NULL);
    assert_ok(journal_sync(b, why));
    assert_ok(query_runs(q, 0, 0, list_run, &l, why));
    assert_string_equal(l.text, "b:waiting:0:0:0:-:owned a:ok:2:12:34:done ");
    l = (struct list){.text = ""};
    assert_ok(query_runs(q, RUN_STATUS_BIT(RUN_OK), 0, list_run, &l, why));
    assert_string_equal(l.text, "a:ok:2:12:34:done ");
    l = (struct list){.text = "", .stop_after = 1};
    assert_ok(query_runs(q, 0, 0, list_run, &l, why));
    assert_string_equal(l.text, "b:waiting:0:0:0:-:owned ");
    l = (struct list){.text = ""};
    assert_ok(query_runs(q, 0, INT64_MAX, list_run, &l, why));
    assert_string_equal(l.text, "");
    store_reader_close(q);
    run_close(b);
    assert_ok(run_take(f->store, uuid, &a, why));
    assert_true(run_seed(a) == 0x8000000000000000u); /* any 64 bits */
    run_close(a);
}

static void test_pages(void **state)
{
    struct store_fixture *f = *state;
    const char *const name[] = {"a", "b", "c", "d"};
    struct store_reader *q;
    struct run *r[4];
    struct list l = {.text = "", .stop_after = 1};
    struct run_filter filter = {.bare = true};
    struct error err = ERROR_INIT;

    fixture_open(f);
    q = reader(f);
    for (size_t i = 0; i < 4; i++) {
        r[i] = named_run(f->store, name[i]);
        journal_intend(r[i], &(struct step_intent){.path = "m", .kind = "model"});
        assert_ok(journal_sync(r[i], why));
    }
    filter.before = run_uuid(r[3]);
    assert_ok(query_runs_like(q, &filter, list_run, &l, why));
    assert_string_equal(l.text, "c:running:0:0:0:-:owned ");
    l = (struct list){.text = ""};
    filter = (struct run_filter){.before = run_uuid(r[2]), .statuses = RUN_STATUS_OPEN};
    assert_ok(query_runs_like(q, &filter, list_run, &l, why));
    assert_string_equal(l.text, "b:running:1:0:0:-:owned a:running:1:0:0:-:owned ");
    l = (struct list){.text = ""};
    assert_ok(query_run_bare(q, run_uuid(r[0]), list_run, &l, why));
    assert_string_equal(l.text, "a:running:0:0:0:-:owned ");
    filter.before = "no such run";
    assert_int_equal(query_runs_like(q, &filter, list_run, &l, &err), STATUS_NOT_FOUND);
    assert_int_equal(query_run_bare(q, "no such run", list_run, &l, &err), STATUS_NOT_FOUND);
    store_reader_close(q);
    for (size_t i = 0; i < 4; i++)
        run_close(r[i]);
}

static void test_a_key_has_one_run(void **state)
{
    struct store_fixture *f = *state;
    struct run_spec spec = {.kind = "run", .name = "n", .key = "k"};
    struct store_reader *q;
    struct error err = ERROR_INIT;
    struct run *r = NULL, *second = NULL;
    char first[37], found[37];
    bool is_there = true;

    fixture_open(f);
    q = reader(f);
    assert_ok(query_run_by_key(q, "k", found, &is_there, why));
    assert_false(is_there);
    assert_ok(run_create(f->store, &spec, &r, why));
    memcpy(first, run_uuid(r), sizeof(first));
    assert_int_equal(run_create(f->store, &spec, &second, &err), STATUS_REJECTED);
    run_close(r);
    assert_int_equal(run_create(f->store, &spec, &second, &err), STATUS_REJECTED);
    assert_ok(query_run_by_key(q, "k", found, &is_there, why));
    assert_true(is_there);
    assert_string_equal(found, first);
    spec.key = "k2";
    assert_ok(run_create(f->store, &spec, &r, why));
    run_close(r);
    assert_ok(store_remove_run(f->store, first, why)); /* its key is free, the other is not */
    assert_ok(query_run_by_key(q, "k", found, &is_there, why));
    assert_false(is_there);
    assert_int_equal(run_create(f->store, &spec, &second, &err), STATUS_REJECTED);
    spec.key = "k";
    assert_ok(run_create(f->store, &spec, &r, why));
    run_close(r);
    store_reader_close(q);
}

static bool list_step(void *ctx, const struct step_row *s)
{
    struct list *l = ctx;
    size_t n = strlen(l->text);

    (void)snprintf(l->text + n, sizeof(l->text) - n, "%lld:%s@%d:%s:%lld%s ", (long long)s->seq,
                   s->path, s->attempt, step_state_name(s->state),
                   (long long)jv_get_int(s->out, -1), s->tokens ? ":tokens" : "");
    if (s->tokens)
        assert_int_equal(s->tokens->ids[1], 77);
    return --l->stop_after != 0;
}

static void test_steps(void **state)
{
    static const struct {
        const char *under;
        int64_t after;
        bool tokens;
        int stop_after;
        const char *expected;
    } cases[] = {
        {NULL, -1, false, 0, "0:z@0:ok:1 1:a@0:error:-1 2:a@1:ok:5 3:a@1/turn:0@0:started:-1 "},
        {NULL, -1, true, 0,
         "0:z@0:ok:1:tokens 1:a@0:error:-1 2:a@1:ok:5 3:a@1/turn:0@0:started:-1 "},
        {"a", -1, false, 0, "1:a@0:error:-1 2:a@1:ok:5 3:a@1/turn:0@0:started:-1 "},
        {"a", 1, false, 1, "2:a@1:ok:5 "},
        {"a@1", -1, false, 0, "3:a@1/turn:0@0:started:-1 "},
        {NULL, 3, false, 0, ""},
    };
    static const int32_t ids[] = {5, 77};
    static const float logp[] = {-1, -2};
    struct store_fixture *f = *state;
    struct run *r = named_run(fixture_open(f), "steps");
    struct store_reader *q = reader(f);
    struct error err = ERROR_INIT;

    fixture_intend(r, "z", 0, EFFECT_NONE, NULL);
    fixture_finish(r, "z", 0, STEP_OK, "1");
    journal_tokens(r, &(struct token_record){.path = "z", .ids = ids, .n_ids = 2, .logp = logp});
    fixture_intend(r, "a", 0, EFFECT_NONE, NULL);
    fixture_finish(r, "a", 0, STEP_ERROR, NULL);
    fixture_intend(r, "a", 1, EFFECT_NONE, NULL);
    fixture_finish(r, "a", 1, STEP_OK, "5");
    fixture_intend(r, "a@1/turn:0", 0, EFFECT_NONE, NULL);
    assert_ok(journal_sync(r, why));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct list l = {.stop_after = cases[i].stop_after};

        assert_ok(query_steps(q, run_uuid(r), cases[i].under, cases[i].after, cases[i].tokens,
                              list_step, &l, why));
        assert_string_equal(l.text, cases[i].expected);
    }
    assert_int_equal(query_steps(q, "nobody", NULL, -1, false, list_step, NULL, &err),
                     STATUS_NOT_FOUND);
    struct list one = {.text = ""};
    assert_ok(query_step(q, run_uuid(r), "a", 0, list_step, &one, why));
    assert_ok(query_step(q, run_uuid(r), "a@1/turn:0", 0, list_step, &one, why));
    assert_string_equal(one.text, "1:a@0:error:-1 3:a@1/turn:0@0:started:-1 ");
    assert_int_equal(query_step(q, run_uuid(r), "a", 2, list_step, &one, &err), STATUS_NOT_FOUND);
    store_reader_close(q);
    run_close(r);
}

static bool list_wait(void *ctx, const struct wait_row *w)
{
    struct list *l = ctx;
    size_t n = strlen(l->text);

    (void)snprintf(l->text + n, sizeof(l->text) - n, "%s@%d:%s:%s:%lld:%s ", w->path, w->attempt,
                   w->kind, jv_get_string(w->prompt, ""), (long long)w->deadline_ms,
                   w->answer ? jv_get_string(w->answer, "") : "open");
    return true;
}

static void test_waits(void **state)
{
    struct store_fixture *f = *state;
    struct run *r = named_run(fixture_open(f), "waits");
    struct store_reader *q = reader(f);
    struct json *p = jv_string("sure?");
    struct list l = {.text = ""};

    journal_wait(r, "a", 0, "human", p, INT64_C(9999999999999));
    journal_wait(r, "b", 1, "timer", NULL, 0);
    assert_ok(journal_sync(r, why));
    assert_ok(store_answer(f->store, run_uuid(r), "a", p, why));
    assert_ok(query_waits(q, run_uuid(r), list_wait, &l, why));
    assert_string_equal(l.text, "a@0:human:sure?:9999999999999:sure? b@1:timer::0:open ");
    jv_unref(p);
    store_reader_close(q);
    run_close(r);
}

static bool list_episode(void *ctx, const struct episode_row *e)
{
    struct list *l = ctx;
    size_t n = strlen(l->text);

    (void)snprintf(l->text + n, sizeof(l->text) - n, "%s:%d:%zu ", e->path, e->success,
                   e->rec_bytes);
    for (size_t i = 0; i < e->rec_bytes; i++)
        assert_int_equal(((const char *)e->rec)[i], (char)(i * 7));
    return true;
}

static void test_episodes(void **state)
{
    struct store_fixture *f = *state;
    struct run *r = named_run(fixture_open(f), "episodes");
    struct store_reader *q = reader(f);
    struct list l = {.text = ""};
    char rec[20000];

    for (size_t i = 0; i < sizeof(rec); i++)
        rec[i] = (char)(i * 7);
    for (int i = 0; i < 3; i++) {
        char path[32];

        (void)snprintf(path, sizeof(path), "row[%d]/episode[0]", i);
        journal_episode(r, &(struct episode_row){.path = path,
                                                 .seed = UINT64_MAX,
                                                 .success = i % 2,
                                                 .verdict = "{}",
                                                 .rec = i ? rec : NULL,
                                                 .rec_bytes = i == 2 ? sizeof(rec) : 1});
    }
    /* The same episode again, after a kill: it replaces. */
    journal_episode(r, &(struct episode_row){.path = "row[1]/episode[0]", .success = 5});
    assert_ok(journal_sync(r, why));
    assert_ok(query_episodes(q, run_uuid(r), NULL, true, list_episode, &l, why));
    assert_string_equal(l.text,
                        "row[0]/episode[0]:0:0 row[1]/episode[0]:5:0 row[2]/episode[0]:0:20000 ");
    l = (struct list){.text = ""};
    assert_ok(query_episodes(q, run_uuid(r), "row[2]", false, list_episode, &l, why));
    assert_string_equal(l.text, "row[2]/episode[0]:0:0 ");
    assert_ok(store_check(f->store, &STR_INIT, why));
    store_reader_close(q);
    run_close(r);
}

/* The plan of a statement, one line a part. */
static void explain(struct store_db *db, enum stmt_id id, struct str *out)
{
    struct error err = ERROR_INIT;
    sqlite3_stmt *st = db_stmt(db, id, &err), *plan = NULL;
    struct str sql = STR_INIT;

    assert_non_null(st);
    str_printf(&sql, "EXPLAIN QUERY PLAN %s", sqlite3_sql(st));
    assert_int_equal(sqlite3_prepare_v2(db->handle, str_cstr(&sql), -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW)
        str_printf(out, "%s\n", (const char *)sqlite3_column_text(plan, 3));
    sqlite3_finalize(plan);
    str_deinit(&sql);
}

/* Many follow one long run: each look must read only what is new. */
static void test_new_steps_are_found_by_an_index(void **state)
{
    struct store_fixture *f = *state;
    struct str plan = STR_INIT;
    struct store_db db;

    fixture_open(f);
    for (int i = 0; i < 2; i++) {
        str_clear(&plan);
        assert_ok(db_open(&db, f->path, NULL, DB_WRITE, why));
        explain(&db, STMT_STEP_BY_SEQ, &plan);
        assert_string_equal(str_cstr(&plan),
                            "SEARCH step USING INDEX step_by_seq (run=? AND seq>?)\n");
        /* A store from before the index gets it when it is opened for writing. */
        fixture_close(f);
        assert_ok(db_exec(&db, "DROP INDEX step_by_seq", why));
        db_close(&db);
        fixture_open(f);
    }
    str_deinit(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_ids),      STORE_TEST(test_runs),
        STORE_TEST(test_pages),    STORE_TEST(test_a_key_has_one_run),
        STORE_TEST(test_steps),    STORE_TEST(test_waits),
        STORE_TEST(test_episodes), STORE_TEST(test_new_steps_are_found_by_an_index),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
