/* reaper.c - finds the children of this process in /proc and ends them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/loop/reaper.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct found {
    pid_t parent, group;
    char state;
};

/* The fields after the name, which may itself contain blanks and parentheses (proc(5)). */
static bool read_stat(int proc_fd, const char *pid, struct found *out)
{
    char path[300], text[512];
    const char *end;
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/stat", pid);
    fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    end = strrchr(text, ')');
    return end && sscanf(end + 1, " %c %d %d", &out->state, &out->parent, &out->group) == 3;
}

static bool is_kept(pid_t pid, const pid_t *keep, int32_t n_keep)
{
    for (int32_t i = 0; i < n_keep; i++)
        if (keep[i] == pid)
            return true;
    return false;
}

int32_t reaper_kill(const pid_t *keep, int32_t n_keep)
{
    const pid_t self = getpid(), own_group = getpgrp();
    struct dirent *entry;
    int32_t n = 0;
    DIR *proc = opendir("/proc");

    if (!proc)
        return 0;
    while ((entry = readdir(proc))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        struct found f;

        if (pid <= 0 || is_kept(pid, keep, n_keep))
            continue;
        if (!read_stat(dirfd(proc), entry->d_name, &f) || f.parent != self)
            continue;
        if (f.group != own_group && f.group > 1) /* a group is ended in one step: no fork escapes */
            (void)kill(-f.group, SIGKILL);
        (void)kill(pid, SIGKILL);
        n += f.state != 'Z';
    }
    closedir(proc);
    return n;
}

int reaper_signals(void)
{
    sigset_t set;

    sigfillset(&set);
    if (sigprocmask(SIG_SETMASK, &set, NULL))
        return -1;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void reaper_signals_clear(int fd)
{
    struct signalfd_siginfo info;

    while (read(fd, &info, sizeof(info)) > 0)
        ;
}
