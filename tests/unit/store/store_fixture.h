/* store_fixture.h - a store in a folder of its own, for the tests of runtime/store.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_STORE_FIXTURE_H
#define TROUPE_TESTS_STORE_FIXTURE_H

#include "runtime/store/journal.h"
#include "runtime/store/query.h"
#include "runtime/store/store.h"
#include "runtime/store/token_record.h"
#include "tests/support/temp_dir.h"

struct store_fixture {
    char folder[64];
    char path[128];
    struct store *store;
};

static inline struct store *fixture_open_with(struct store_fixture *f, struct store_options o)
{
    o.path = f->path;
    o.create = true;
    assert_ok(store_open(&o, &f->store, why));
    return f->store;
}

static inline struct store *fixture_open(struct store_fixture *f)
{
    return fixture_open_with(f, (struct store_options){.durability = STORE_NORMAL});
}

static inline void fixture_close(struct store_fixture *f)
{
    store_close(f->store);
    f->store = NULL;
}

static inline int fixture_setup(void **state)
{
    struct store_fixture *f = calloc(1, sizeof(*f));

    if (!f)
        return -1;
    temp_dir(f->folder);
    (void)snprintf(f->path, sizeof(f->path), "%.63s/store.db", f->folder);
    *state = f;
    return 0;
}

static inline void fixture_unlink(const struct store_fixture *f)
{
    static const char *const tail[] = {"",      "-wal",    "-shm",   "-journal",
                                       ".lock", ".owners", ".calls", ".copy"};

    for (size_t i = 0; i < sizeof(tail) / sizeof(tail[0]); i++) {
        char name[160];

        (void)snprintf(name, sizeof(name), "%s%s", f->path, tail[i]);
        (void)unlink(name);
    }
}

static inline int fixture_teardown(void **state)
{
    struct store_fixture *f = *state;

    store_close(f->store);
    temp_dir_remove(f->folder);
    free(f);
    return 0;
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static inline struct run *fixture_run(struct store *s)
{
    struct json *config = fixture_json("{\"blueprint\":\"ledger\",\"horizon\":10}");
    struct run_spec spec = {.kind = "run", .name = "ledger", .config = config, .seed = 7};
    struct run *r = NULL;

    assert_ok(run_create(s, &spec, &r, why));
    jv_unref(config);
    return r;
}

static inline void fixture_intend(struct run *r, const char *path, int32_t attempt,
                                  enum effect effect, const char *args)
{
    struct json *v = args ? fixture_json(args) : NULL;

    journal_intend(r, &(struct step_intent){.path = path,
                                            .attempt = attempt,
                                            .kind = "tool",
                                            .name = "search",
                                            .effect = effect,
                                            .args = v});
    jv_unref(v);
}

static inline void fixture_finish(struct run *r, const char *path, int32_t attempt,
                                  enum step_state state, const char *out)
{
    struct json *v = out ? fixture_json(out) : NULL;

    journal_finish(r, &(struct step_result){.path = path,
                                            .attempt = attempt,
                                            .state = state,
                                            .out = v,
                                            .tok_in = 12,
                                            .tok_out = 34});
    jv_unref(v);
}

#endif
