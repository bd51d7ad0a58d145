/* test_call_audit.c - rows of calls stay as they were written, and a changed one is named.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/call_audit.h"

#include <fcntl.h>

#include "tests/unit/store/store_fixture.h"

static void on_durable(void *ctx, enum status status, const struct error *err)
{
    int *n = ctx;

    assert_int_equal(status, STATUS_OK);
    assert_null(err);
    (*n)++;
}

static void append(struct store *s, const char *tool, int *n)
{
    const struct call_audit_row row = {.at_ms = 1700000000000,
                                       .took_us = 12,
                                       .who = "local",
                                       .view = "",
                                       .server = "files",
                                       .method = "tools/call",
                                       .target = tool,
                                       .decision = "allow",
                                       .rule = "",
                                       .outcome = "ok",
                                       .effect = EFFECT_ONCE,
                                       .arguments = sha256_of("{}", 2)};

    if (call_audit_append(s, &row, STORE_NORMAL, n ? on_durable : NULL, n) && n)
        ++*n;
}

static void wait_for(struct store *s, const int *n, int wanted)
{
    for (int i = 0; i < 5000 && *n < wanted; i++) {
        store_drain_replies(store_reply_box(s));
        usleep(1000);
    }
    assert_int_equal(*n, wanted);
}

static bool list(void *ctx, const struct call_audit_row *row)
{
    str_printf(ctx, "%lld %s %s %s %s\n", (long long)row->id, row->who, row->server, row->target,
               row->outcome);
    return true;
}

static void rows_are_numbered_and_read_in_order(void **state)
{
    struct store_fixture *f = *state;
    struct store_reader *r = NULL;
    struct str text = STR_INIT;
    int n = 0;

    fixture_open(f);
    append(f->store, "a", &n);
    append(f->store, "b", NULL);
    append(f->store, "c", &n);
    wait_for(f->store, &n, 2);
    fixture_close(f);
    fixture_open(f); /* goes on where it was */
    append(f->store, "d", &n);
    wait_for(f->store, &n, 3);
    assert_ok(store_reader_open(f->store, &r, why));
    assert_ok(call_audit_read(r, 1, list, &text, why));
    assert_string_equal(str_cstr(&text),
                        "2 local files b ok\n3 local files c ok\n4 local files d ok\n");
    assert_ok(call_audit_check(r, why));
    store_reader_close(r);
    str_deinit(&text);
}

/* Changes one byte of the first place of `mark` in the closed file. */
static void flip(const char *path, const char *mark)
{
    int fd = open(path, O_RDWR);
    char *bytes = calloc(1, 1 << 20), *at;
    ssize_t n = pread(fd, bytes, 1 << 20, 0);

    assert_true(n > 0);
    at = memmem(bytes, (size_t)n, mark, strlen(mark));
    assert_non_null(at);
    *at ^= 1;
    assert_int_equal(pwrite(fd, at, 1, at - bytes), 1);
    close(fd);
    free(bytes);
}

static void a_changed_row_is_named(void **state)
{
    struct store_fixture *f = *state;
    struct str report = STR_INIT;
    struct error err = ERROR_INIT;
    int n = 0;

    fixture_open(f);
    append(f->store, "first", &n);
    append(f->store, "MARKsecond", &n);
    append(f->store, "third", &n);
    wait_for(f->store, &n, 3);
    assert_ok(store_check(f->store, &report, why));
    fixture_close(f);
    flip(f->path, "MARKsecond");
    fixture_open(f);
    assert_int_equal(store_check(f->store, &report, &err), STATUS_CORRUPT);
    assert_non_null(
        strstr(str_cstr(&report), "call_audit row 2: the row, or one before it, was changed"));
    str_deinit(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(rows_are_numbered_and_read_in_order),
        STORE_TEST(a_changed_row_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
