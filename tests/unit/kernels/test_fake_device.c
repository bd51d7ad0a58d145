/* test_fake_device.c - the fake device catches what it is there for.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/support/check.h"
#include "tests/support/fake_device.h"

static const struct lane alone = {0};

/* The signal that ends fn in a process of its own; its last line in `said`. */
static int ends_by(void (*fn)(const struct backend *b), char said[256])
{
    int status, pipes[2];
    ssize_t n;
    pid_t child;

    assert_int_equal(pipe(pipes), 0);
    child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};

        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSEGV, SIG_DFL); /* not the report of a sanitizer */
        signal(SIGBUS, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        dup2(pipes[1], STDERR_FILENO);
        fn(fake_device());
        _exit(0);
    }
    close(pipes[1]);
    n = read(pipes[0], said, 255);
    said[n > 0 ? n : 0] = '\0';
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static float *device_floats(const struct backend *b, size_t n)
{
    return b->alloc(b->ctx, n * sizeof(float));
}

static void host_reads(const struct backend *b)
{
    const volatile float *p = device_floats(b, 4);

    (void)p[1];
}

static void host_writes(const struct backend *b)
{
    volatile float *p = device_floats(b, 4);

    p[1] = 1;
}

static void op_gets_host_memory(const struct backend *b)
{
    float x[4] = {0};

    b->add(&alone, x, 4, device_floats(b, 4));
}

static void op_runs_past_an_allocation(const struct backend *b)
{
    float *x = device_floats(b, 4), *y = device_floats(b, 3);

    b->add(&alone, x, 4, y);
}

static void op_gets_released_memory(const struct backend *b)
{
    float *x = device_floats(b, 4), *y = device_floats(b, 4);

    b->release(b->ctx, x);
    b->add(&alone, x, 4, y);
}

static void op_gets_a_table_on_the_device(const struct backend *b)
{
    int32_t *token = b->alloc(b->ctx, 4 * sizeof(*token));

    b->embed_back(&alone, device_floats(b, 4), token, 1, 4, device_floats(b, 4));
}

static void upload_between_device_memory(const struct backend *b)
{
    b->upload(&alone, device_floats(b, 4), device_floats(b, 4), 16);
}

static void zero_of_host_memory(const struct backend *b)
{
    float x[4];

    b->zero(&alone, x, sizeof(x));
}

static void faults_end_the_process(void **state)
{
    static const struct {
        void (*fn)(const struct backend *b);
        int signal;
        const char *says;
    } cases[] = {
        {host_reads, SIGSEGV, ""},
        {host_writes, SIGSEGV, ""},
        {op_gets_host_memory, SIGABRT, "fake device: add: x is host memory\n"},
        {op_runs_past_an_allocation, SIGABRT, "fake device: add: y is not within one allocation\n"},
        {op_gets_released_memory, SIGABRT, "fake device: add: x is not within one allocation\n"},
        {op_gets_a_table_on_the_device, SIGABRT,
         "fake device: embed_back: token is device memory\n"},
        {upload_between_device_memory, SIGABRT, "fake device: upload: src is device memory\n"},
        {zero_of_host_memory, SIGABRT, "fake device: zero: dst is host memory\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char said[256];

        assert_int_equal(ends_by(cases[i].fn, said), cases[i].signal);
        assert_string_equal(said, cases[i].says);
    }
}

static void values_go_there_and_back(void **state)
{
    const struct backend *b = fake_device();
    const float one[4] = {1, 2, 3, 4};
    float back[4], *x = device_floats(b, 4), *y = device_floats(b, 4);
    int64_t ops = fake_device_n_ops();

    (void)state;
    assert_false(b->host_memory);
    b->upload(&alone, x, one, sizeof(one));
    b->copy(&alone, y, x, sizeof(one));
    b->add(&alone, x, 4, y);
    b->download(&alone, back, y, sizeof(back));
    for (int i = 0; i < 4; i++)
        assert_true(back[i] == 2 * one[i]);
    b->zero(&alone, y + 1, sizeof(float));
    assert_ptr_equal(backend_view(b, &alone, y, back, sizeof(back)), back);
    assert_true(back[0] == 2 && back[1] == 0 && back[2] == 6);
    assert_int_equal(fake_device_n_ops(), ops + 1);
    b->release(b->ctx, x);
    b->release(b->ctx, y);
    assert_int_equal(fake_device_n_allocations(), 0);
}

static void an_op_fails_in_the_next_sync(void **state)
{
    const struct backend *b = fake_device();
    float *x = device_floats(b, 4), *y = device_floats(b, 4);
    struct error err = ERROR_INIT;

    (void)state;
    fake_device_fail(BACKEND_OP_ADD, 2);
    b->add(&alone, x, 4, y);
    assert_int_equal(b->sync(&alone, &err), STATUS_OK);
    b->add(&alone, x, 4, y);
    assert_int_equal(b->sync(&alone, &err), STATUS_FAILED);
    assert_string_equal(err.message, "fake device: op \"add\" failed");
    assert_int_equal(b->sync(&alone, &err), STATUS_OK);
    b->release(b->ctx, x);
    b->release(b->ctx, y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_end_the_process),
        cmocka_unit_test(values_go_there_and_back),
        cmocka_unit_test(an_op_fails_in_the_next_sync),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
