/* test_store_power.c - the power fails at any moment, and only synced data is certain to be on
 * disk.
 *
 * The real file layer of SQLite cannot simulate that, so our own layer (power_vfs.h) logs every
 * write, truncation and sync of a store at work (power_work.h). From that log, power_disk.h makes
 * images of what a disk may contain after a crash; each image is opened and checked
 * (power_judge.h).
 *
 * At FULL no promised transaction may be missing. At NORMAL only the last ones may. The check must
 * be able to fail: when the disk ignores all syncs, when it ignores those of one file, and when
 * NORMAL is checked against FULL, it must find faults.
 *
 * TROUPE_POWER_IMAGES (at FULL; a quarter as many at NORMAL) and TROUPE_POWER_SEED change the
 * loop; the seed is printed. TROUPE_SOAK, which ./dev soak sets, makes it long.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/store/store_fixture.h"

#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/text.h"
#include "tests/integration/store/power_disk.h"
#include "tests/integration/store/power_judge.h"
#include "tests/integration/store/power_work.h"

#define IMAGES         240
#define IMAGES_SOAK    20000
#define IMAGES_A_LAP   30 /* of one log */
#define IMAGES_TEETH   40
#define SEED_TEETH     1
#define FINDINGS_SHOWN 5
#define DEAF_TO_ALL    ((1u << POWER_FILES) - 1)

struct tally {
    int64_t n_images, n_lost, n_corrupt, n_lost_txns;
};

/* How a series of images is made and checked. */
struct series {
    const char *name;
    enum store_durability durability;
    unsigned deaf_to;
    bool may_lose; /* the last promised transactions may be missing */
    bool reports;  /* prints findings: there should be none */
    uint64_t seed;
};

/* Few are long, because their images are large. */
static const enum power_kind_of_work kind_of_lap[] = {
    POWER_WORK_SHORT, POWER_WORK_RESTORED, POWER_WORK_SHORT, POWER_WORK_LONG,
    POWER_WORK_SHORT, POWER_WORK_RESTORED, POWER_WORK_SHORT, POWER_WORK_SHORT,
};

static int64_t from_environment(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);
    int64_t v;

    return text && text_to_i64(text, &v) ? v : otherwise;
}

static int by_size(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;

    return x < y ? -1 : x > y;
}

/* Half at any position, the rest next to a sync, or next to a change of the database file, which is
 * rare in a long log. */
static size_t draw_position(const struct power_work *w, struct power_vfs *log,
                            struct power_draw *draw)
{
    size_t end = power_vfs_position(log);
    size_t first = w->start + power_draw(draw, (uint32_t)(end - w->start) + 1);
    uint32_t kind = power_draw(draw, 4);

    for (size_t at = first; kind >= 2 && at < end; at++) {
        const struct power_event *e = power_vfs_event(log, at);

        if (kind == 2 ? e->kind == POWER_SYNC : e->kind != POWER_WRITE || e->file != POWER_WAL)
            return at + power_draw(draw, 2);
    }
    return first;
}

static void report_finding(const struct series *s, struct tally *t, uint32_t lap, size_t position,
                           int shape, const struct str *report)
{
    if (s->reports && t->n_lost + t->n_corrupt <= FINDINGS_SHOWN)
        print_error("%s, seed %llu, lap %u, before event %zu, shape %d:\n%s", s->name,
                    (unsigned long long)s->seed, (unsigned)lap, position, shape, str_cstr(report));
}

static void judge_image(struct store_fixture *f, const struct series *s, const struct power_work *w,
                        uint32_t lap, size_t position, int shape, struct tally *t)
{
    struct str report = STR_INIT;
    int32_t promised = power_work_promised(w, position), n_lost;
    enum power_outcome outcome = power_judge(w, f->path, promised, &n_lost, &report);

    t->n_images++;
    t->n_lost_txns += n_lost;
    t->n_lost += outcome == POWER_LOST;
    t->n_corrupt += outcome == POWER_CORRUPT;
    if (outcome == POWER_CORRUPT || (outcome == POWER_LOST && !s->may_lose))
        report_finding(s, t, lap, position, shape, &report);
    str_deinit(&report);
}

/* One log and n images of it. */
static void one_lap(struct store_fixture *f, const struct series *s, uint32_t lap, int n,
                    struct tally *t)
{
    uint64_t seed = rng_derive(s->seed, lap);
    struct power_draw draw = {.seed = seed, .stream = 0};
    struct power_work w;
    struct power_vfs *log;
    struct power_disk *disk;
    size_t position[IMAGES_A_LAP];

    power_vfs_new(seed, &log);
    power_work_do(&w, log, f->path, s->durability, seed, kind_of_lap[lap % ARRAY_LEN(kind_of_lap)]);
    power_disk_new(log, s->deaf_to, &disk);
    for (int i = 0; i < n; i++)
        position[i] = draw_position(&w, log, &draw);
    qsort(position, (size_t)n, sizeof(position[0]), by_size);
    for (int i = 0; i < n; i++) {
        struct power_draw image = {.seed = seed, .stream = 16 + (uint32_t)i};
        int shape = (int)power_draw(&image, POWER_SHAPES);

        power_disk_advance(disk, position[i]);
        fixture_unlink(f);
        power_disk_crash(disk, (enum power_shape)shape, &image, f->path);
        judge_image(f, s, &w, lap, position[i], shape, t);
    }
    fixture_unlink(f);
    power_disk_free(disk);
    power_work_deinit(&w);
    power_vfs_free(log);
}

static struct tally run_series(struct store_fixture *f, const struct series *s, int64_t n)
{
    struct tally t = {0};

    for (uint32_t lap = 0; t.n_images < n; lap++) {
        int64_t left = n - t.n_images;

        one_lap(f, s, lap, left < IMAGES_A_LAP ? (int)left : IMAGES_A_LAP, &t);
    }
    print_message(
        "%s, seed %llu: %lld images, %lld lost %lld promised transactions, %lld corrupt\n", s->name,
        (unsigned long long)s->seed, (long long)t.n_images, (long long)t.n_lost,
        (long long)t.n_lost_txns, (long long)t.n_corrupt);
    return t;
}

static int64_t images_asked(void)
{
    return from_environment("TROUPE_POWER_IMAGES", getenv("TROUPE_SOAK") ? IMAGES_SOAK : IMAGES);
}

static uint64_t seed_asked(void)
{
    return (uint64_t)from_environment("TROUPE_POWER_SEED",
                                      (int64_t)(seams_random_u64(seams_real()) >> 1));
}

static void test_full_loses_nothing(void **state)
{
    struct series s = {.name = "FULL", .durability = STORE_FULL, .reports = true};
    struct tally t;

    s.seed = seed_asked();
    t = run_series(*state, &s, images_asked());
    assert_int_equal(t.n_corrupt, 0);
    assert_int_equal(t.n_lost, 0);
}

static void test_normal_loses_only_the_last(void **state)
{
    struct series s = {
        .name = "NORMAL", .durability = STORE_NORMAL, .may_lose = true, .reports = true};
    struct tally t;

    s.seed = seed_asked();
    t = run_series(*state, &s, images_asked() / 4);
    assert_int_equal(t.n_corrupt, 0);
}

/* In each of these, the store or the disk breaks its promise. */
static void test_faults_are_found(void **state)
{
    static const struct series wrong[] = {
        {.name = "no sync obeyed", .durability = STORE_FULL, .deaf_to = DEAF_TO_ALL},
        {.name = "no sync of the log obeyed", .durability = STORE_FULL, .deaf_to = 1u << POWER_WAL},
        {.name = "no sync of the database obeyed",
         .durability = STORE_FULL,
         .deaf_to = 1u << POWER_DATABASE},
        {.name = "NORMAL held to FULL", .durability = STORE_NORMAL},
    };

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct series s = wrong[i];
        struct tally t;

        s.seed = SEED_TEETH;
        t = run_series(*state, &s, IMAGES_TEETH);
        assert_true(t.n_lost > 0);
        if (s.deaf_to & 1u << POWER_DATABASE)
            assert_true(t.n_corrupt > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_full_loses_nothing),
        STORE_TEST(test_normal_loses_only_the_last),
        STORE_TEST(test_faults_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
