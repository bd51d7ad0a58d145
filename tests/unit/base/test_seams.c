/* test_seams.c - the real seams work, and a fault while writing leaves the old file.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "runtime/base/file_open.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/str.h"
#include "tests/support/check.h"

/* A folder of its own for each test; cwd is there while the test runs. */
struct place {
    char folder[32];
    int home;
};

static int enter(void **state)
{
    struct place *p = xcalloc(1, sizeof(*p));

    strncpy(p->folder, "/tmp/test_seams_XXXXXX", sizeof(p->folder) - 1);
    p->home = open(".", O_RDONLY | O_DIRECTORY);
    *state = p;
    return p->home < 0 || !mkdtemp(p->folder) || chdir(p->folder);
}

static int leave(void **state)
{
    static const char *const files[] = {"f", "f.tmp", "d/e/g", "x"};
    static const char *const folders[] = {"d/e", "d"};
    struct place *p = *state;

    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        unlink(files[i]);
    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        rmdir(folders[i]);
    if (fchdir(p->home) || rmdir(p->folder))
        return -1;
    close(p->home);
    free(p);
    return 0;
}

static void assert_holds(const char *path, const char *expected)
{
    char *text = NULL;
    size_t n = 0;

    assert_int_equal(file_read(path, 1 << 20, &text, &n, NULL), STATUS_OK);
    assert_int_equal(n, strlen(expected));
    assert_string_equal(text, expected);
    free(text);
}

static void clocks_go_forward(void **state)
{
    const struct seams *s = seams_real();
    int64_t before = seams_mono_us(s);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t now = seams_mono_us(s);

        assert_true(now >= before);
        before = now;
    }
    assert_true(seams_wall_ms(s) > 1700000000000); /* after 2023 */
    assert_true(seams_random_u64(s) != seams_random_u64(s));
}

static int64_t fixed_ms(void *ctx)
{
    (void)ctx;
    return 0x017f22e279b0; /* the example of RFC 9562, A.6 */
}

static void fixed_bytes(void *ctx, void *bytes, size_t n)
{
    (void)ctx;
    memset(bytes, 0xff, n);
}

static void uuids_are_version_7(void **state)
{
    struct seams s = *seams_real();
    char id[37];

    (void)state;
    s.clock.wall_ms = fixed_ms;
    s.random.fill = fixed_bytes;
    seams_uuid7(&s, id);
    assert_string_equal(id, "017f22e2-79b0-7fff-bfff-ffffffffffff");
}

static void an_atomic_write_replaces_and_leaves_nothing_else(void **state)
{
    const struct seams *s = seams_real();
    struct stat st;

    (void)state;
    assert_int_equal(file_write_atomic(s, "f", "one", 3, NULL), STATUS_OK);
    assert_holds("f", "one");
    assert_int_equal(chmod("f", 0600), 0);
    assert_int_equal(file_write_atomic(s, "f", "", 0, NULL), STATUS_OK);
    assert_holds("f", "");
    assert_int_equal(stat("f", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600); /* a secret stays one */
    assert_false(file_exists("f.tmp"));
}

static void a_symlink_in_the_way_is_not_followed(void **state)
{
    (void)state;
    assert_int_equal(file_write_atomic(seams_real(), "x", "keep", 4, NULL), STATUS_OK);
    assert_int_equal(symlink("x", "f.tmp"), 0);
    assert_int_equal(file_write_atomic(seams_real(), "f", "new", 3, NULL), STATUS_OK);
    assert_holds("x", "keep");
    assert_holds("f", "new");
}

/* Fails at the n-th call through the file seam. */
struct faults {
    int left;
    int errnum;
    int calls;
};

static int fault_or(struct faults *f)
{
    f->calls++;
    return f->left > 0 && --f->left == 0 ? f->errnum : 0;
}

static int faulty_write(void *ctx, int fd, const void *bytes, size_t n)
{
    int failed = fault_or(ctx);

    /* Half of it arrives before the fault. */
    if (failed)
        n /= 2;
    if (write(fd, bytes, n) != (ssize_t)n)
        return EIO;
    return failed;
}

static int faulty_sync(void *ctx, int fd)
{
    (void)fd;
    return fault_or(ctx);
}

static int faulty_rename(void *ctx, const char *from, const char *to)
{
    int failed = fault_or(ctx);

    return failed ? failed : rename(from, to) ? errno : 0;
}

static void a_fault_at_any_step_leaves_one_whole_file(void **state)
{
    struct faults f = {0};
    struct seams s = *seams_real();

    (void)state;
    s.file = (struct file_seam){&f, faulty_write, faulty_sync, faulty_rename};
    for (int at = 1; at <= 4; at++) {
        struct error err = ERROR_INIT;

        assert_int_equal(file_write_atomic(seams_real(), "f", "old", 3, NULL), STATUS_OK);
        f = (struct faults){.left = at, .errnum = at % 2 ? ENOSPC : EIO};
        assert_int_equal(file_write_atomic(&s, "f", "fresh!", 6, &err),
                         at % 2 ? STATUS_DISK_FULL : STATUS_IO);
        assert_holds("f", at == 4 ? "fresh!" : "old");
        assert_false(file_exists("f.tmp"));
        assert_non_null(strstr(err.message, "f"));
    }
    f = (struct faults){0};
    assert_int_equal(file_write_atomic(&s, "f", "fresh!", 6, NULL), STATUS_OK);
    assert_int_equal(f.calls, 4); /* write, sync, rename, sync of the folder */
}

/* Neither waits for the other end of a FIFO, which may never come, nor reads what has no end. */
static void only_regular_files_are_opened(void **state)
{
    static const struct {
        const char *path, *says;
    } cases[] = {
        {".", ". is a folder"}, {"x", "x is a FIFO"}, {"/dev/zero", "/dev/zero is a device"}};
    static const int flags[] = {O_RDONLY, O_WRONLY, O_WRONLY | O_CREAT | O_TRUNC, O_RDWR | O_CREAT};
    struct error err = ERROR_INIT;
    struct stat info;
    char *text = NULL;
    int fd = -1, reader;

    (void)state;
    assert_int_equal(mkfifo("x", 0600), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(file_read(cases[i].path, 100, &text, NULL, &err), STATUS_INVALID);
        assert_non_null(strstr(err.message, cases[i].says));
        assert_null(text);
        for (size_t k = 0; k < ARRAY_LEN(flags); k++) {
            assert_int_equal(file_open(cases[i].path, flags[k], 0600, &fd, NULL, &err),
                             STATUS_INVALID);
            assert_non_null(strstr(err.message, cases[i].says));
        }
    }
    reader = open("x", O_RDONLY | O_NONBLOCK);
    assert_int_equal(file_open("x", O_WRONLY, 0600, &fd, NULL, &err), STATUS_INVALID);
    close(reader);
    assert_int_equal(fd, -1);
    assert_int_equal(file_open("none", O_RDONLY, 0, &fd, NULL, &err), STATUS_NOT_FOUND);
    assert_int_equal(file_open("f", O_WRONLY | O_CREAT, 0640, &fd, &info, &err), STATUS_OK);
    assert_int_equal(info.st_size, 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void reading_is_bounded(void **state)
{
    char *text = NULL;
    struct error err = ERROR_INIT;
    char *big = xcalloc(1, 200001);

    (void)state;
    assert_int_equal(file_write_atomic(seams_real(), "f", "12345", 5, NULL), STATUS_OK);
    assert_int_equal(file_read("f", 5, &text, NULL, &err), STATUS_OK);
    assert_string_equal(text, "12345");
    free(text);
    text = NULL;
    assert_int_equal(file_read("f", 4, &text, NULL, &err), STATUS_LIMIT);
    assert_non_null(strstr(err.message, "f"));
    assert_int_equal(file_read("none", 4, &text, NULL, &err), STATUS_NOT_FOUND);
    memset(big, 'b', 200000);
    assert_int_equal(file_write_atomic(seams_real(), "f", big, 200000, NULL), STATUS_OK);
    assert_holds("f", big);
    mem_fail_after(1);
    assert_int_equal(file_read("f", 1 << 20, &text, NULL, &err), STATUS_NO_MEMORY);
    free(big);
}

static void folders_are_made_with_parents(void **state)
{
    struct place *p = *state;
    struct error err = ERROR_INIT;
    struct str path = STR_INIT;

    assert_int_equal(dir_make("d/e", &err), STATUS_OK);
    assert_int_equal(dir_make("d/e/", &err), STATUS_OK);
    str_printf(&path, "%s//d/./e", p->folder);
    assert_int_equal(dir_make(str_cstr(&path), &err), STATUS_OK);
    assert_int_equal(file_write_atomic(seams_real(), "d/e/g", "x", 1, &err), STATUS_OK);
    assert_int_equal(dir_make("d/e/g/h", &err), STATUS_IO);
    assert_non_null(strstr(err.message, "Not a directory"));
    assert_int_equal(dir_make("", &err), STATUS_NOT_FOUND);
    str_deinit(&path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_go_forward),
        cmocka_unit_test(uuids_are_version_7),
        cmocka_unit_test_setup_teardown(an_atomic_write_replaces_and_leaves_nothing_else, enter,
                                        leave),
        cmocka_unit_test_setup_teardown(a_symlink_in_the_way_is_not_followed, enter, leave),
        cmocka_unit_test_setup_teardown(a_fault_at_any_step_leaves_one_whole_file, enter, leave),
        cmocka_unit_test_setup_teardown(reading_is_bounded, enter, leave),
        cmocka_unit_test_setup_teardown(only_regular_files_are_opened, enter, leave),
        cmocka_unit_test_setup_teardown(folders_are_made_with_parents, enter, leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
