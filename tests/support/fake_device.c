/* fake_device.c - memory of the fake device and its table; the ops are in fake_device_ops.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/fake_device.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/fake_device_impl.h"

/* Address space, not memory: a page takes memory when an op first touches it. */
#define DEVICE_BYTES    ((size_t)1 << 34)
#define MAX_ALLOCATIONS 4096
#define GUARD           4096

static struct {
    pthread_mutex_t lock;
    int fd;
    char *host, *device; /* two views of the same pages */
    size_t end;          /* of what was ever given: places are not used twice */
    struct {
        size_t at, bytes;
    } live[MAX_ALLOCATIONS];
    int n_live;
    bool failed; /* a launch since the last sync */
    enum backend_op fail_op;
    int64_t fail_in; /* calls; 0: never */
} dev = {.lock = PTHREAD_MUTEX_INITIALIZER};
static _Atomic int64_t n_ops;

static void die(const char *op, const char *argument, const char *what)
{
    fprintf(stderr, "fake device: %s: %s %s\n", op, argument, what);
    abort();
}

static void open_device(void)
{
    dev.fd = memfd_create("fake device", 0);
    if (dev.fd < 0 || ftruncate(dev.fd, (off_t)DEVICE_BYTES))
        die("memfd_create", "file", "cannot be made");
    dev.host = mmap(NULL, DEVICE_BYTES, PROT_NONE, MAP_SHARED, dev.fd, 0);
    dev.device = mmap(NULL, DEVICE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, dev.fd, 0);
    if (dev.host == MAP_FAILED || dev.device == MAP_FAILED)
        die("mmap", "memory", "cannot be mapped");
}

static bool is_host_view(const void *p)
{
    return (uintptr_t)p - (uintptr_t)dev.host < DEVICE_BYTES;
}

void *fake_view(const char *op, const char *argument, const void *p, size_t bytes)
{
    size_t at = (size_t)((uintptr_t)p - (uintptr_t)dev.host);
    bool inside = false;

    if (!p || !bytes)
        return NULL;
    if (!is_host_view(p))
        die(op, argument, "is host memory");
    pthread_mutex_lock(&dev.lock);
    for (int i = 0; i < dev.n_live && !inside; i++)
        inside = at >= dev.live[i].at && at + bytes <= dev.live[i].at + dev.live[i].bytes;
    pthread_mutex_unlock(&dev.lock);
    if (!inside)
        die(op, argument, "is not within one allocation");
    return dev.device + at;
}

void fake_host(const char *op, const char *argument, const void *p)
{
    if (is_host_view(p))
        die(op, argument, "is device memory");
}

void fake_count(enum backend_op op)
{
    atomic_fetch_add(&n_ops, 1);
    pthread_mutex_lock(&dev.lock);
    if (dev.fail_in > 0 && dev.fail_op == op && --dev.fail_in == 0)
        dev.failed = true;
    pthread_mutex_unlock(&dev.lock);
}

static void *fake_alloc(void *ctx, size_t bytes)
{
    void *p = NULL;

    (void)ctx;
    pthread_mutex_lock(&dev.lock);
    if (bytes <= DEVICE_BYTES - dev.end - GUARD && dev.n_live < MAX_ALLOCATIONS) {
        dev.live[dev.n_live].at = dev.end;
        dev.live[dev.n_live++].bytes = bytes;
        p = dev.host + dev.end;
        dev.end += ((bytes + 63) & ~(size_t)63) + GUARD;
    }
    pthread_mutex_unlock(&dev.lock);
    return p;
}

static void fake_release(void *ctx, void *p)
{
    size_t at = (size_t)((uintptr_t)p - (uintptr_t)dev.host);
    int i;

    (void)ctx;
    pthread_mutex_lock(&dev.lock);
    for (i = 0; i < dev.n_live && dev.live[i].at != at; i++)
        ;
    if (i == dev.n_live)
        die("release", "p", "is not an allocation");
    /* What is used after its release reads NaN, or is refused by its op. */
    memset(dev.device + at, 0xff, dev.live[i].bytes);
    dev.live[i] = dev.live[--dev.n_live];
    pthread_mutex_unlock(&dev.lock);
}

static void fake_upload(const struct lane *l, void *dst, const void *src, size_t bytes)
{
    fake_host("upload", "src", src);
    fake_cpu()->upload(l, fake_view("upload", "dst", dst, bytes), src, bytes);
}

static void fake_download(const struct lane *l, void *dst, const void *src, size_t bytes)
{
    fake_host("download", "dst", dst);
    fake_cpu()->download(l, dst, fake_view("download", "src", src, bytes), bytes);
}

static void fake_copy(const struct lane *l, void *dst, const void *src, size_t bytes)
{
    fake_cpu()->copy(l, fake_view("copy", "dst", dst, bytes), fake_view("copy", "src", src, bytes),
                     bytes);
}

static void fake_zero(const struct lane *l, void *dst, size_t bytes)
{
    fake_cpu()->zero(l, fake_view("zero", "dst", dst, bytes), bytes);
}

static enum status fake_sync(const struct lane *l, struct error *err)
{
    bool failed;

    (void)l;
    pthread_mutex_lock(&dev.lock);
    failed = dev.failed;
    dev.failed = false;
    pthread_mutex_unlock(&dev.lock);
    return failed ? error_set(err, STATUS_FAILED, "fake device: op \"%s\" failed",
                              backend_op_name(dev.fail_op))
                  : STATUS_OK;
}

static size_t fake_panels_bytes(const struct matrix *w)
{
    return fake_cpu()->panels_bytes(w);
}

static size_t fake_quantised_bytes(int32_t R, int32_t n_in)
{
    return fake_cpu()->quantised_bytes(R, n_in);
}

static size_t fake_kv_half_bytes(int32_t n_kv_heads, int32_t head_dim, enum dtype dtype)
{
    return fake_cpu()->kv_half_bytes(n_kv_heads, head_dim, dtype);
}

static void fake_pack(const struct lane *l, const struct matrix *w, void *panels)
{
    struct matrix m = *w;

    m.rows = fake_view("pack", "w->rows", w->rows,
                       (size_t)w->n_out * dtype_row_bytes(w->dtype, w->n_in));
    m.panels = NULL;
    fake_cpu()->pack(l, &m, fake_view("pack", "panels", panels, fake_panels_bytes(w)));
    atomic_fetch_add(&n_ops, 1);
}

const struct backend *fake_device(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static const struct backend table = {
        .abi = BACKEND_ABI,
        .size_bytes = sizeof(struct backend),
        .name = "fake",
        .exact = true,
        .alloc = fake_alloc,
        .release = fake_release,
        .upload = fake_upload,
        .download = fake_download,
        .copy = fake_copy,
        .zero = fake_zero,
        .sync = fake_sync,
        .panels_bytes = fake_panels_bytes,
        .pack = fake_pack,
        .quantised_bytes = fake_quantised_bytes,
        .kv_half_bytes = fake_kv_half_bytes,
#define OP(id, name, parameters) .name = fake_##name,
#include "kernels/ops.def"
#undef OP
    };

    pthread_once(&once, open_device);
    return &table;
}

int64_t fake_device_n_ops(void)
{
    return atomic_load(&n_ops);
}

int64_t fake_device_n_allocations(void)
{
    int64_t n;

    pthread_mutex_lock(&dev.lock);
    n = dev.n_live;
    pthread_mutex_unlock(&dev.lock);
    return n;
}

void fake_device_fail(enum backend_op op, int64_t nth)
{
    pthread_mutex_lock(&dev.lock);
    dev.fail_op = op;
    dev.fail_in = nth;
    pthread_mutex_unlock(&dev.lock);
}
