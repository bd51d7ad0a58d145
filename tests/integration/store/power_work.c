/* power_work.c - the work of a store before the power fails, and the promises that it made.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/integration/store/power_work.h"

#include <fcntl.h>

#include "runtime/base/memory.h"
#include "runtime/store/run_lock.h"
#include "tests/unit/store/store_fixture.h"

#define N_ACTIONS 40
#define N_FILLER  2100 /* commits of a page or more: beyond CHECKPOINT_PAGES of store_thread.c */
#define IDS_MAX   900

/* State during the work. */
struct doing {
    struct power_work *w;
    struct power_vfs *log;
    struct store_options options;
    struct store *store;
    struct power_draw draw;
    struct power_draw random; /* random numbers of the store: ids of runs */
    struct seams seams;
};

struct json *power_work_value(int run, int32_t k)
{
    struct str s = STR_INIT;
    struct json *v;
    size_t n = (size_t)((k * 97 + run * 311) % 1600);

    str_printf(&s, "result %d of %d ", (int)k, run);
    if (k % 5 == 4)
        for (uint32_t i = 0; i < 300; i++)
            str_printf(&s, "%08x", (unsigned)rng_philox((uint64_t)k, i, 0, 0, 0).word[0]);
    while (s.len < n)
        str_printf(&s, "%d ", (int)(k * (int32_t)s.len % 1000));
    v = jv_string(str_cstr(&s));
    str_deinit(&s);
    return v;
}

int32_t power_work_n_ids(int32_t k)
{
    return k % 6 == 5 ? IDS_MAX : 1 + k % 7;
}

static void raise_count(struct doing *d, struct power_run *r, enum power_what what)
{
    struct power_count *c = &r->count[what];

    if (c->n == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 16;
        c->txn = xrealloc(c->txn, (size_t)c->cap * sizeof(*c->txn));
    }
    c->txn[c->n++] = d->w->n_txns;
}

/* The store reports everything posted so far as durable. */
static void promise(struct doing *d)
{
    struct power_work *w = d->w;

    if (w->n_promises == w->cap_promises) {
        w->cap_promises = w->cap_promises ? w->cap_promises * 2 : 64;
        w->promise = xrealloc(w->promise, w->cap_promises * sizeof(*w->promise));
    }
    w->promise[w->n_promises++] = (struct power_promise){power_vfs_position(d->log), w->n_txns};
}

/* Asks every run, because a promise is made to one run. */
static void sync_all(struct doing *d)
{
    for (int i = 0; i < d->w->n_runs; i++)
        if (d->w->run[i].run)
            assert_ok(journal_sync(d->w->run[i].run, why));
    promise(d);
}

static void open_store(struct doing *d)
{
    assert_ok(store_open(&d->options, &d->store, why));
}

static void make_run(struct doing *d)
{
    struct power_run *r = &d->w->run[d->w->n_runs];

    d->w->n_txns++;
    raise_count(d, r, POWER_MADE);
    r->run = fixture_run(d->store);
    memcpy(r->uuid, run_uuid(r->run), sizeof(r->uuid));
    d->w->n_runs++;
    promise(d);
}

static void start_step(struct doing *d, struct power_run *r)
{
    char path[48];

    (void)snprintf(path, sizeof(path), POWER_STEP_PATH, (int)r->count[POWER_STARTED].n);
    fixture_intend(r->run, path, 0, EFFECT_IDEMPOTENT, "{\"x\":1}");
    raise_count(d, r, POWER_STARTED);
}

static void finish_step(struct doing *d, struct power_run *r)
{
    int32_t k = r->count[POWER_DONE].n;
    struct json *v = power_work_value((int)(r - d->w->run), k);
    int32_t *ids = xcalloc(IDS_MAX, sizeof(*ids));
    float *logp = xcalloc(IDS_MAX, sizeof(*logp));
    char path[48];

    (void)snprintf(path, sizeof(path), POWER_STEP_PATH, (int)k);
    for (int32_t i = 0; i < IDS_MAX; i++)
        ids[i] = k + i;
    journal_finish(r->run, &(struct step_result){.path = path, .state = STEP_OK, .out = v});
    journal_tokens(r->run,
                   &(struct token_record){
                       .path = path, .ids = ids, .n_ids = power_work_n_ids(k), .logp = logp});
    journal_message(r->run, POWER_THREAD, "tool", v);
    raise_count(d, r, POWER_DONE);
    raise_count(d, r, POWER_SAID);
    jv_unref(v);
    free(ids);
    free(logp);
}

static void play_episode(struct doing *d, struct power_run *r)
{
    char path[48];
    struct json *v = power_work_value((int)(r - d->w->run), r->count[POWER_PLAYED].n);
    const char *text = jv_get_string(v, "");

    (void)snprintf(path, sizeof(path), POWER_EPISODE, (int)r->count[POWER_PLAYED].n);
    journal_episode(r->run, &(struct episode_row){.path = path,
                                                  .seed = 5,
                                                  .success = 1,
                                                  .verdict = "{}",
                                                  .rec = text,
                                                  .rec_bytes = strlen(text)});
    raise_count(d, r, POWER_PLAYED);
    jv_unref(v);
}

static void spend(struct doing *d, struct power_run *r)
{
    char text[32];
    struct json *v;

    (void)snprintf(text, sizeof(text), "{\"n\":%d}", (int)r->count[POWER_SPENT].n + 1);
    v = fixture_json(text);
    run_set_budget(r->run, v);
    raise_count(d, r, POWER_SPENT);
    jv_unref(v);
}

/* One transaction of one run, posted. */
static void act(struct doing *d, struct power_run *r)
{
    int32_t n_open = r->count[POWER_STARTED].n - r->count[POWER_DONE].n;
    uint32_t kind = power_draw(&d->draw, 10);

    d->w->n_txns++;
    if (kind == 0) {
        play_episode(d, r); /* posts by itself */
        return;
    }
    if (kind == 1)
        spend(d, r);
    if (n_open > 0 && kind > 3)
        finish_step(d, r);
    if (n_open == 0 || kind > 5) /* mostly the next intent comes with the result */
        start_step(d, r);
    else if (kind == 2 || kind == 3)
        spend(d, r);
    journal_flush(r->run);
}

static struct power_run *draw_run(struct doing *d)
{
    struct power_work *w = d->w;
    int n = w->n_runs, i = (int)power_draw(&d->draw, (uint32_t)n);

    for (int k = 0; k < n; k++)
        if (w->run[(i + k) % n].run)
            return &w->run[(i + k) % n];
    return NULL;
}

/* Several transactions in one commit: the writer waits for its lock. */
static void act_together(struct doing *d)
{
    struct str name = STR_INIT;
    uint32_t n = 2 + power_draw(&d->draw, 5);
    struct power_run *r;
    int fd;

    str_printf(&name, "%s.lock", d->options.path);
    fd = open(str_cstr(&name), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_ok(file_lock_take(fd, 0, 1000, why));
    while (n-- > 0 && (r = draw_run(d)) != NULL)
        act(d, r);
    file_lock_release(fd);
    close(fd);
    str_deinit(&name);
    sync_all(d);
}

static void end_run(struct doing *d, struct power_run *r)
{
    struct json *v = power_work_value((int)(r - d->w->run), 9);

    d->w->n_txns++;
    run_set_status(r->run, RUN_OK, v, NULL);
    raise_count(d, r, POWER_ENDED);
    jv_unref(v);
    sync_all(d);
    run_close(r->run);
    r->run = NULL;
}

static void close_store(struct doing *d)
{
    for (int i = 0; i < d->w->n_runs; i++) {
        run_close(d->w->run[i].run);
        d->w->run[i].run = NULL;
    }
    promise(d);
    store_close(d->store);
}

/* Takes every run that has not ended. */
static void open_again(struct doing *d)
{
    open_store(d);
    for (int i = 0; i < d->w->n_runs; i++)
        if (d->w->run[i].count[POWER_ENDED].n == 0)
            assert_ok(run_take(d->store, d->w->run[i].uuid, &d->w->run[i].run, why));
}

static void fill_log(struct doing *d)
{
    struct power_run *r = draw_run(d);

    for (int i = 0; r && i < N_FILLER; i++) {
        d->w->n_txns++;
        spend(d, r);
        sync_all(d);
    }
}

/* Sometimes, an operation on the whole store. */
static void tidy(struct doing *d)
{
    int64_t n, bytes;

    switch (power_draw(&d->draw, 4)) {
    case 0:
        assert_ok(store_compact(d->store, why));
        break;
    case 1:
        assert_ok(store_gc(d->store, &n, &bytes, why));
        break;
    default:
        close_store(d); /* copies the log into the database and truncates it */
        open_again(d);
    }
}

static int64_t still_clock(void *ctx)
{
    (void)ctx;
    return 1700000000000;
}

static void drawn_bytes(void *ctx, void *bytes, size_t n)
{
    unsigned char *to = bytes;

    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)power_draw(ctx, 256);
}

static void begin(struct doing *d, uint64_t seed)
{
    *d->w = (struct power_work){.n_runs = 0};
    d->draw = (struct power_draw){.seed = seed, .stream = 1};
    d->random = (struct power_draw){.seed = seed, .stream = 2};
    d->seams = *seams_real();
    d->seams.clock = (struct clock_seam){NULL, still_clock, still_clock};
    d->seams.random = (struct random_seam){&d->random, drawn_bytes};
    d->options.seams = &d->seams;
}

/* Before the log starts: a store, its backup, and the backup in the place of the store. */
static void restore(struct doing *d)
{
    static const char *const old[] = {"-wal", "-shm"};
    struct str copy = STR_INIT;

    open_store(d);
    make_run(d);
    for (int i = 0; i < 6; i++)
        act(d, &d->w->run[0]);
    close_store(d);
    open_store(d);
    str_printf(&copy, "%s.copy", d->options.path);
    assert_ok(store_backup(d->store, str_cstr(&copy), why));
    store_close(d->store);
    assert_int_equal(rename(str_cstr(&copy), d->options.path), 0);
    for (size_t i = 0; i < ARRAY_LEN(old); i++) {
        str_clear(&copy);
        str_printf(&copy, "%s%s", d->options.path, old[i]);
        assert_int_equal(unlink(str_cstr(&copy)), 0);
    }
    str_deinit(&copy);
}

static void act_once(struct doing *d)
{
    uint32_t kind = power_draw(&d->draw, 16);
    struct power_run *r = draw_run(d);

    if (!r || (kind == 0 && d->w->n_runs < POWER_RUNS)) {
        if (d->w->n_runs < POWER_RUNS)
            make_run(d);
    } else if (kind == 1) {
        end_run(d, r);
    } else if (kind == 2) {
        tidy(d);
    } else if (kind < 8) {
        act_together(d);
    } else {
        act(d, r);
        sync_all(d);
    }
}

void power_work_do(struct power_work *w, struct power_vfs *log, const char *path,
                   enum store_durability durability, uint64_t seed, enum power_kind_of_work kind)
{
    struct doing d = {.w = w, .log = log};

    d.options = (struct store_options){.path = path, .create = true, .durability = durability};
    begin(&d, seed);
    if (kind == POWER_WORK_RESTORED)
        restore(&d);
    w->start = power_vfs_start(log, path);
    promise(&d); /* contents of a backup */
    open_again(&d);
    make_run(&d);
    for (int i = 0; i < N_ACTIONS; i++) {
        if (kind == POWER_WORK_LONG && i == N_ACTIONS / 2)
            fill_log(&d);
        act_once(&d);
    }
    close_store(&d);
    power_vfs_stop(log);
}

void power_work_deinit(struct power_work *w)
{
    for (int i = 0; i < w->n_runs; i++)
        for (int k = 0; k < POWER_WHATS; k++)
            free(w->run[i].count[k].txn);
    free(w->promise);
    *w = (struct power_work){.n_runs = 0};
}

int32_t power_work_promised(const struct power_work *w, size_t position)
{
    int32_t txn = 0;

    for (size_t i = 0; i < w->n_promises && w->promise[i].position <= position; i++)
        txn = w->promise[i].txn;
    return txn;
}
