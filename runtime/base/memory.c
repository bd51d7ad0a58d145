/* memory.c - small and large allocation.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TENSOR_ALIGN 64 /* a cache line, and one AVX-512 register */

/* Calls left until the one that fails; 0 is off. Thread-local on purpose: a test
 * of one thread must not make another's allocation fail, and a product build
 * pays one load for it. It is the only state of this file. */
static _Thread_local uint64_t calls_until_failure;

_Noreturn void mem_exhausted(size_t size_bytes)
{
    char line[96];
    int n = snprintf(line, sizeof(line), "troupe: out of memory (%zu bytes asked)\n", size_bytes);

    /* write and _exit: stdio and atexit handlers may want memory themselves. What
     * is stored stays whole, since the store is crash-safe. */
    if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
        _exit(1);
    _exit(1);
}

static void *checked(void *p, size_t size_bytes)
{
    if (!p)
        mem_exhausted(size_bytes);
    return p;
}

void *xmalloc(size_t size_bytes)
{
    return checked(malloc(size_bytes ? size_bytes : 1), size_bytes);
}

void *xcalloc(size_t n, size_t size_bytes)
{
    size_t total;

    if (__builtin_mul_overflow(n, size_bytes, &total))
        mem_exhausted(SIZE_MAX);
    return checked(calloc(1, total ? total : 1), total);
}

void *xrealloc(void *p, size_t size_bytes)
{
    return checked(realloc(p, size_bytes ? size_bytes : 1), size_bytes);
}

char *xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = xmalloc(len + 1);

    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

void mem_fail_after(uint64_t n)
{
    calls_until_failure = n;
}

/* False when the size overflows or a test asked for a failure here. */
static bool may_allocate(size_t n, size_t size_bytes, size_t *total)
{
    if (__builtin_expect(calls_until_failure > 0, 0) && --calls_until_failure == 0)
        return false;
    if (__builtin_mul_overflow(n, size_bytes, total) || *total > PTRDIFF_MAX)
        return false;
    if (*total == 0)
        *total = 1; /* NULL means failure, so nothing at all still gets an address */
    return true;
}

void *mem_alloc(size_t n, size_t size_bytes)
{
    size_t total;

    return may_allocate(n, size_bytes, &total) ? calloc(1, total) : NULL;
}

bool mem_grow(void **p, size_t n, size_t size_bytes)
{
    size_t total;
    void *grown;

    if (!may_allocate(n, size_bytes, &total))
        return false;
    grown = realloc(*p, total);
    if (!grown)
        return false;
    *p = grown;
    return true;
}

void *mem_aligned_alloc(size_t n, size_t size_bytes)
{
    size_t total;
    char *block;
    void **tag;

    if (!may_allocate(n, size_bytes, &total) || total > SIZE_MAX - 2 * TENSOR_ALIGN)
        return NULL;
    /* calloc gives large blocks as untouched zero pages: a reservation costs nothing until it is
     * used, where memset would touch all of it. The block's own address is stored before the
     * tensor.
     */
    block = calloc(1, total + 2 * TENSOR_ALIGN);
    if (!block)
        return NULL;
    tag = (void **)(void *)(block + (2 * TENSOR_ALIGN - ((uintptr_t)block & (TENSOR_ALIGN - 1))));
    tag[-1] = block;
    return tag;
}

void mem_aligned_free(void *p)
{
    if (p)
        free(((void **)p)[-1]);
}
