/* cpu_backend.c - which instruction sets this CPU has, their tables, and host memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_backend.h"

#include <stdlib.h>
#include <string.h>

#ifdef CPU_HAVE_X86
#include <cpuid.h>
#endif

#include "kernels/cpu/cpu_host.h"
#include "kernels/cpu/cpu_kv_form.h"
#include "runtime/base/memory.h"

extern const struct backend cpu_plain_backend;
#ifdef CPU_HAVE_X86
extern const struct backend cpu_avx2_backend, cpu_avx512_backend;
#endif

#ifdef CPU_HAVE_X86
/* Conversions of half precision; its registers are those of AVX. */
static bool has_f16c(void)
{
    unsigned a, b, c = 0, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

enum cpu_isa cpu_isa_best(void)
{
#ifdef CPU_HAVE_X86
    /* These read cpuid and, through xgetbv, whether the kernel saves the registers. */
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !has_f16c())
        return CPU_ISA_PLAIN;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
        return CPU_ISA_AVX512;
    return CPU_ISA_AVX2;
#else
    return CPU_ISA_PLAIN;
#endif
}

bool cpu_has_vnni(void)
{
#ifdef CPU_HAVE_X86
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

const char *cpu_isa_name(enum cpu_isa isa)
{
    return isa == CPU_ISA_AVX512 ? "avx512" : isa == CPU_ISA_AVX2 ? "avx2" : "plain";
}

const struct backend *cpu_backend(enum cpu_isa isa)
{
#ifdef CPU_HAVE_X86
    if (isa == CPU_ISA_AVX512)
        return &cpu_avx512_backend;
    if (isa == CPU_ISA_AVX2)
        return &cpu_avx2_backend;
#endif
    (void)isa;
    return &cpu_plain_backend;
}

void *cpu_alloc(void *ctx, size_t bytes)
{
    (void)ctx;
    return mem_aligned_alloc(bytes ? bytes : 1, 1);
}

void cpu_release(void *ctx, void *p)
{
    (void)ctx;
    mem_aligned_free(p);
}

void cpu_copy(const struct lane *l, void *dst, const void *src, size_t bytes)
{
    (void)l;
    if (bytes)
        memcpy(dst, src, bytes);
}

void cpu_zero(const struct lane *l, void *dst, size_t bytes)
{
    (void)l;
    if (bytes)
        memset(dst, 0, bytes);
}

enum status cpu_sync(const struct lane *l, struct error *err)
{
    (void)l;
    (void)err;
    return STATUS_OK; /* an op is done when it returns */
}

size_t cpu_kv_half_bytes(int32_t n_kv_heads, int32_t head_dim, enum dtype dtype)
{
    int form = kv_form_of(dtype);

    if (form == KV_FORM_NONE)
        return 0;
    return (size_t)n_kv_heads * (size_t)kv_form_head(head_dim, form) *
           (form == KV_FORM_Q8 ? 1 : dtype_size(dtype));
}
