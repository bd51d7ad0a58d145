/* process_stats.c - see process_stats.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/serve/process_stats.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "runtime/base/memory.h"

/* The beginning of a file of the kernel; "" if it cannot be read. */
static void read_proc(const char *path, char *out, size_t cap)
{
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(out, 1, cap - 1, f) : 0;

    out[n] = 0;
    if (f)
        (void)fclose(f);
}

static int64_t count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int64_t n = dir ? -3 : 0; /* ".", ".." and that of opendir */

    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

/* proc(5), /proc/self/stat: the k-th field, from 3 on; the second is a name that may contain
 * blanks. */
static int64_t stat_field(const char *stat, int k)
{
    const char *at = strrchr(stat, ')');

    for (int i = 2; at && i < k; i++)
        at = strchr(at + 1, ' ');
    return at ? strtoll(at, NULL, 10) : 0;
}

/* The start of the system, in seconds since the epoch. */
static double boot_seconds(void)
{
    char *text = xmalloc(65536);
    const char *at;
    double s = 0;

    read_proc("/proc/stat", text, 65536);
    at = strstr(text, "\nbtime ");
    if (at)
        s = (double)strtoll(at + 7, NULL, 10);
    free(text);
    return s;
}

void process_stats(struct process_stats *out)
{
    char stat[2048];
    struct rusage used;
    struct rlimit fds;
    double boot = boot_seconds();

    *out = (struct process_stats){.open_fds = count_fds()};
    read_proc("/proc/self/stat", stat, sizeof(stat));
    out->n_threads = stat_field(stat, 20);
    out->virtual_bytes = stat_field(stat, 23);
    out->resident_bytes = stat_field(stat, 24) * (int64_t)sysconf(_SC_PAGESIZE);
    if (boot > 0)
        out->start_seconds = boot + (double)stat_field(stat, 22) / (double)sysconf(_SC_CLK_TCK);
    if (getrlimit(RLIMIT_NOFILE, &fds) == 0 && fds.rlim_cur != RLIM_INFINITY)
        out->max_fds = (int64_t)fds.rlim_cur;
    if (getrusage(RUSAGE_SELF, &used) == 0)
        out->cpu_seconds = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}
