/* process_stats.c - see process_stats.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/serve/process_stats.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/base/seams.h"

/* A file of the kernel, malloc'd; "" if it cannot be read. */
static char *read_proc(const char *path)
{
    struct error ignored = ERROR_INIT;
    char *text;
    size_t n;

    return file_read(path, (size_t)1 << 20, &text, &n, &ignored) ? xstrdup("") : text;
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
    char *text = read_proc("/proc/stat");
    const char *at = strstr(text, "\nbtime ");
    double s = 0;

    if (at)
        s = (double)strtoll(at + 7, NULL, 10);
    free(text);
    return s;
}

void process_stats(struct process_stats *out)
{
    char *stat = read_proc("/proc/self/stat");
    struct rusage used;
    struct rlimit fds;
    double boot = boot_seconds();

    *out = (struct process_stats){.open_fds = count_fds()};
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
    free(stat);
}
