/* process_table.h - what /proc says of other processes, for the tests of child processes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_UNIT_LOOP_PROCESS_TABLE_H
#define TROUPE_TESTS_UNIT_LOOP_PROCESS_TABLE_H

#include <dirent.h>
#include <fcntl.h>

#include "tests/support/check.h"

/* The beginning of a file of a process; its NULs become blanks. "": there is none. */
static inline void process_file(int pid, const char *name, char *text, size_t size)
{
    char path[64];
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? 0 : read(fd, text, size - 1);
    if (fd >= 0)
        close(fd);
    n = n < 0 ? 0 : n;
    for (ssize_t i = 0; i < n; i++)
        text[i] = text[i] ? text[i] : ' ';
    text[n] = '\0';
}

/* 'Z' for a zombie, 0: there is none. */
static inline char process_state(int pid, int *parent)
{
    char stat[512], *end, state = 0;
    int ppid = 0;

    process_file(pid, "stat", stat, sizeof(stat));
    end = strrchr(stat, ')');
    if (end && sscanf(end + 1, " %c %d", &state, &ppid) == 2 && parent)
        *parent = ppid;
    return end ? state : (char)0;
}

static inline bool process_runs(int pid)
{
    char state = process_state(pid, NULL);

    return state != 0 && state != 'Z';
}

static inline void expect_process_gone(int pid)
{
    for (int i = 0; i < 200 && process_runs(pid); i++)
        (void)usleep(10000);
    assert_false(process_runs(pid));
}

/* The processes whose command line contains `mark`, or (mark NULL) whose parent is `parent`; those
 * of another state than `state` do not count (0: all that run). */
static inline int processes(const char *mark, int parent, char state, int *out, int max)
{
    DIR *proc = opendir("/proc");
    struct dirent *e;
    int n = 0;

    assert_non_null(proc);
    while ((e = readdir(proc))) {
        int pid = (int)strtol(e->d_name, NULL, 10), ppid = 0;
        char text[4096], now = pid > 0 ? process_state(pid, &ppid) : (char)0;

        if (!now || (state ? now != state : now == 'Z'))
            continue;
        process_file(pid, "cmdline", text, sizeof(text));
        if (mark ? !strstr(text, mark) : ppid != parent)
            continue;
        if (out && n < max)
            out[n] = pid;
        n++;
    }
    closedir(proc);
    return n;
}

static inline int processes_marked(const char *mark)
{
    return processes(mark, 0, 0, NULL, 0);
}

/* Milliseconds until none is left; -1: some still run after max_ms. */
static inline int processes_end(const char *mark, int max_ms)
{
    for (int ms = 0; ms <= max_ms; ms += 10) {
        if (processes_marked(mark) == 0)
            return ms;
        (void)usleep(10000);
    }
    return -1;
}

static inline int open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static inline const char *wild_program(void)
{
    static char path[512];
    const char *build = getenv("TROUPE_BINARY_DIR");

    (void)snprintf(path, sizeof(path), "%s/tests/child_wild", build ? build : "build/default");
    return path;
}

#endif
