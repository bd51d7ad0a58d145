/* test_store_corruption.c - any flipped byte is found and named, or changes nothing.
 *
 * Bytes of a closed file are flipped: first in every kind of payload, where the check must
 * name table and path, then anywhere. A flip that the check lets pass must leave
 * everything that can be read as it was (free space, counters of the header).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/store/store_fixture.h"

#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "runtime/base/seams.h"

#define N_RANDOM 250

struct sample {
    char uuid[37];
    char *bytes;
    size_t n;
    struct sha256 content; /* of everything that is read */
    enum status read;      /* what reading gave after the last flip */
};

static void put_value(struct run *r, const char *path, const char *mark, size_t bytes)
{
    char *text = malloc(bytes + strlen(mark) + 1);
    struct json *v;

    memcpy(text, mark, strlen(mark) + 1);
    for (size_t i = strlen(mark); i < bytes; i++) { /* little to compress: it stays visible */
        text[i] = (char)('!' + rng_philox(1, (uint32_t)i, (uint32_t)bytes, 0, 0).word[0] % 90);
        text[i + 1] = '\0';
    }
    v = jv_string(text);
    journal_finish(r, &(struct step_result){.path = path, .state = STEP_OK, .out = v});
    jv_unref(v);
    free(text);
}

static void fill(struct run *r)
{
    struct json *body = fixture_json("\"MARKmessage\""), *ask = fixture_json("\"MARKprompt\"");
    static const int32_t ids[300] = {1, 2, 3};
    static const float logp[300];
    char path[48];

    for (int i = 0; i < 60; i++) {
        (void)snprintf(path, sizeof(path), "filler/turn:%d", i);
        fixture_intend(r, path, 0, EFFECT_NONE, "{\"query\":\"something\"}");
        fixture_finish(r, path, 0, STEP_OK, "{\"answer\":\"something else\"}");
        journal_message(r, "filler", "tool", body);
    }
    journal_flush(r);
    fixture_intend(r, "p-args", 0, EFFECT_ONCE, "\"MARKargs\"");
    fixture_intend(r, "p-out", 0, EFFECT_NONE, NULL);
    put_value(r, "p-out", "MARKout", 40);
    fixture_intend(r, "p-blob", 0, EFFECT_NONE, NULL);
    put_value(r, "p-blob", "MARKblob", 400);
    fixture_intend(r, "p-zstd", 0, EFFECT_NONE, NULL);
    put_value(r, "p-zstd", "zstd", 3000);
    fixture_intend(r, "p-err", 0, EFFECT_NONE, NULL);
    journal_finish(r,
                   &(struct step_result){.path = "p-err", .state = STEP_ERROR, .err = "MARKerr"});
    journal_message(r, "p-thread", "user", body);
    journal_wait(r, "p-wait", 0, "human", ask, 0);
    journal_tokens(
        r, &(struct token_record){
               .path = "p-short", .backend = "MARKshort", .ids = ids, .n_ids = 9, .logp = logp});
    journal_tokens(
        r, &(struct token_record){
               .path = "p-long", .backend = "MARKlong", .ids = ids, .n_ids = 300, .logp = logp});
    journal_episode(
        r, &(struct episode_row){
               .path = "p-episode", .verdict = "\"MARKverdict\"", .rec = "abc", .rec_bytes = 3});
    jv_unref(body);
    jv_unref(ask);
}

/* ---- everything that can be read, as one hash */

static bool hash_step(void *ctx, const struct step_row *s)
{
    struct str *out = ctx;

    str_printf(out, "%s %d %lld %d %s %s %s|", s->path, s->attempt, (long long)s->seq, s->state,
               s->kind, s->name ? s->name : "", s->err ? s->err : "");
    if (s->args)
        jv_write(s->args, 0, out);
    if (s->out)
        jv_write(s->out, 0, out);
    if (s->tokens)
        str_append(out, (const char *)s->tokens->ids, (size_t)s->tokens->n_ids * 4);
    return true;
}

static bool hash_wait(void *ctx, const struct wait_row *w)
{
    jv_write(w->prompt, 0, ctx);
    return true;
}

static bool hash_episode(void *ctx, const struct episode_row *e)
{
    str_puts(ctx, e->verdict);
    str_append(ctx, e->rec ? e->rec : "", e->rec_bytes);
    return true;
}

static bool hash_run(void *ctx, const struct run_row *r)
{
    str_printf(ctx, "%s %s %s %s ", r->uuid, r->kind, r->name, run_status_word(r->status));
    if (r->config)
        jv_write(r->config, 0, ctx);
    return true;
}

static enum status read_all(struct store *s, const char *uuid, struct sha256 *out)
{
    static const char *const threads[] = {"filler", "p-thread"};
    static const char *const calls[] = {"p-short", "p-long"};
    struct store_reader *q = NULL;
    struct run *r = NULL;
    struct str text = STR_INIT;
    struct arena *arena = arena_new(4096);
    struct token_record tokens;
    struct json *messages;
    bool found;
    enum status st = store_reader_open(s, &q, NULL);

    if (st == STATUS_OK)
        st = query_run(q, uuid, hash_run, &text, NULL);
    if (st == STATUS_OK)
        st = query_steps(q, uuid, NULL, -1, true, hash_step, &text, NULL);
    if (st == STATUS_OK)
        st = query_waits(q, uuid, hash_wait, &text, NULL);
    if (st == STATUS_OK)
        st = query_episodes(q, uuid, NULL, true, hash_episode, &text, NULL);
    if (st == STATUS_OK)
        st = run_take(s, uuid, &r, NULL);
    for (size_t i = 0; i < 2 && st == STATUS_OK; i++) {
        st = journal_messages(r, threads[i], &messages, NULL);
        if (st == STATUS_OK) {
            jv_write(messages, 0, &text);
            jv_unref(messages);
        }
    }
    for (size_t i = 0; i < 2 && st == STATUS_OK; i++) {
        st = journal_find_tokens(r, calls[i], 0, arena, &found, &tokens, NULL);
        if (st == STATUS_OK && found)
            str_append(&text, (const char *)tokens.ids, (size_t)tokens.n_ids * 4);
    }
    *out = sha256_of(str_cstr(&text), text.len);
    str_deinit(&text);
    arena_free(arena);
    run_close(r);
    store_reader_close(q);
    return st;
}

static void make_sample(struct store_fixture *f, struct sample *s)
{
    struct run *r = fixture_run(fixture_open(f));

    memcpy(s->uuid, run_uuid(r), sizeof(s->uuid));
    fill(r);
    run_close(r);
    fixture_close(f);
    assert_ok(file_read(f->path, (size_t)16 << 20, &s->bytes, &s->n, why));
    assert_int_equal(read_all(fixture_open(f), s->uuid, &s->content), STATUS_OK);
    fixture_close(f);
}

/* Flips; true when the check found it. The report is the caller's to free. */
static bool flip(struct store_fixture *f, struct sample *s, size_t at, char mask,
                 struct str *report)
{
    struct store_options o = {.path = f->path, .durability = STORE_NORMAL};
    struct sha256 content;
    enum status opened, checked;

    s->bytes[at] = (char)(s->bytes[at] ^ mask);
    temp_put(f->path, s->bytes, s->n);
    s->bytes[at] = (char)(s->bytes[at] ^ mask);
    opened = store_open(&o, &f->store, NULL);
    if (opened) { /* refused with a status is found too */
        f->store = NULL;
        str_puts(report, "not opened");
        return true;
    }
    checked = store_check(f->store, report, NULL);
    s->read = read_all(f->store, s->uuid, &content);
    fixture_close(f);
    if (checked == STATUS_OK) {
        if (s->read != STATUS_OK || memcmp(&content, &s->content, sizeof(content)) != 0)
            fail_msg("byte %zu ^ %d: the check found nothing, but the data differs", at, mask);
        return false;
    }
    assert_int_equal(checked, STATUS_CORRUPT);
    assert_true(report->len > 0);
    return true;
}

static uint32_t chance(uint32_t i, uint32_t j)
{
    return rng_philox(2026, i, j, 0, 0).word[0];
}

static void test_payloads_are_named(void **state)
{
    static const struct {
        const char *mark;
        size_t mark_bytes, spread;
        const char *table, *place;
    } cases[] = {
        {"MARKargs", 8, 8, "step run=", "p-args"},
        {"MARKout", 7, 30, "step run=", "p-out"},
        {"MARKerr", 7, 7, "step run=", "p-err"},
        {"MARKblob", 8, 380, "blob id=", "p-blob"},
        {"\x28\xb5\x2f\xfd", 4, 40, "", "p-"}, /* a zstd frame: a blob, or an episode's record */
        {"MARKmessage", 11, 11, "msg run=", "thread="},
        {"MARKprompt", 10, 10, "wait run=", "p-wait"},
        {"MARKshort", 9, 30, "tok run=", "p-short"},
        {"MARKlong", 8, 480, "tok run=", "p-long"},
        {"MARKverdict", 11, 11, "episode run=", "p-episode"},
        {"ledger", 6, 6, "run", ""},
    };
    struct store_fixture *f = *state;
    struct sample s;

    make_sample(f, &s);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int n_found = 0;
        uint32_t draw = 0;

        for (char *at = s.bytes;
             (at = memmem(at, (size_t)(s.bytes + s.n - at), cases[i].mark, cases[i].mark_bytes));
             at++) {
            struct str report = STR_INIT;
            size_t where = (size_t)(at - s.bytes) + chance((uint32_t)i, draw) % cases[i].spread;

            if (flip(f, &s, where, (char)(1 << chance((uint32_t)i, ++draw) % 8), &report)) {
                n_found++;
                assert_int_equal(s.read, STATUS_CORRUPT); /* and nobody resumes on top of it */
                if (!strstr(str_cstr(&report), cases[i].table) ||
                    !strstr(str_cstr(&report), cases[i].place))
                    fail_msg("%s: not named in: %s", cases[i].mark, str_cstr(&report));
            }
            str_deinit(&report);
            if (draw > 40) /* the filler repeats its marks */
                break;
        }
        if (n_found == 0)
            fail_msg("%s: no flip of it was found", cases[i].mark);
    }
    free(s.bytes);
}

static void test_any_byte(void **state)
{
    struct store_fixture *f = *state;
    struct sample s;
    int n_found = 0;

    make_sample(f, &s);
    for (uint32_t i = 0; i < N_RANDOM; i++) {
        struct str report = STR_INIT;

        n_found +=
            flip(f, &s, chance(1000 + i, 0) % s.n, (char)(1 << chance(1000 + i, 1) % 8), &report);
        str_deinit(&report);
    }
    print_message("%d of %d flips anywhere were in use and found\n", n_found, N_RANDOM);
    assert_true(n_found > N_RANDOM / 10);
    free(s.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_payloads_are_named),
        STORE_TEST(test_any_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
