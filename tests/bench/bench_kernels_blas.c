/* bench_kernels_blas.c - OpenBLAS with its best settings, loaded at run time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/bench/bench_kernels_blas.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/cpu/cpu_backend.h"

void blas_set_core(char **argv)
{
    if (cpu_isa_best() != CPU_ISA_AVX512 || getenv("OPENBLAS_CORETYPE"))
        return;
    setenv("OPENBLAS_CORETYPE", "SkylakeX", 1);
    execv("/proc/self/exe", argv); /* returns only on failure: continue without it */
}

static void *symbol(void *library, const char *name)
{
    return library ? dlsym(library, name) : NULL;
}

struct blas blas_open(int n_threads)
{
    struct blas b = {NULL, "none"};
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL), *found;
    void (*set_threads)(int) = NULL;
    char *(*core)(void) = NULL;

    /* ISO C has no cast from an object to a function pointer; POSIX allows these copies. */
    found = symbol(library, "cblas_sgemm");
    memcpy(&b.sgemm, &found, sizeof(found));
    found = symbol(library, "openblas_set_num_threads");
    memcpy(&set_threads, &found, sizeof(found));
    found = symbol(library, "openblas_get_corename");
    memcpy(&core, &found, sizeof(found));
    if (set_threads)
        set_threads(n_threads);
    if (core)
        b.core = core();
    return b;
}
