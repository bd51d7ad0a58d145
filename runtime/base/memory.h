/* memory.h - allocation: small, large, and by arena.
 *
 * Small fixed-size allocations use the x-functions, which end the process when
 * memory is exhausted (the store is crash-safe). Sizes that depend on input, a
 * model or a peer use mem_alloc, which may return NULL; a test can make it fail.
 * An arena serves one turn or one request.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_MEMORY_H
#define TROUPE_RUNTIME_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
/* The object that contains this member. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

void *xmalloc(size_t size_bytes);
void *xcalloc(size_t n, size_t size_bytes);
void *xrealloc(void *p, size_t size_bytes);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
/* Called by the x-functions when memory is exhausted: one line on stderr, then exit status 1. */
_Noreturn void mem_exhausted(size_t size_bytes);

/* NULL when memory is exhausted or n * size overflows. Zeroed. Freed by free(). */
void *mem_alloc(size_t n, size_t size_bytes);
/* Keeps *p on failure and returns false. New space is not zeroed. */
bool mem_grow(void **p, size_t n, size_t size_bytes);
/* 64-byte aligned and zeroed, for tensors. Freed by mem_aligned_free. */
void *mem_aligned_alloc(size_t n, size_t size_bytes);
void mem_aligned_free(void *p);

/* For tests: the n-th mem_ call from now fails in this thread (0: none). */
void mem_fail_after(uint64_t n);

struct arena;
struct arena *arena_new(size_t block_bytes);
void arena_free(struct arena *a);
void arena_reset(struct arena *a);                     /* keeps its blocks */
void *arena_alloc(struct arena *a, size_t size_bytes); /* 16-byte aligned, zeroed; x-semantics */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
