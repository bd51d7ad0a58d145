/* part_file.c - creates temporary files, and removes those of dead processes.
 *
 * The sweep locks a file before it removes the name. The process that created the file checks,
 * after it has the lock, that the name still exists.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/part_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX ".troupe-"
#define SUFFIX ".part"
#define DIGITS 16
#define TRIES  16

/* Is it locked, and does its name still exist? */
static bool holds(int fd)
{
    struct stat s;

    while (flock(fd, LOCK_EX)) {
        if (errno != EINTR)
            return true; /* a file system without locks: the sweep skips it too */
    }
    return fstat(fd, &s) || s.st_nlink > 0;
}

enum status part_file_open(const struct seams *seams, int dir, char name[PART_FILE_NAME], int *fd,
                           struct error *err)
{
    int got = -1;

    for (int i = 0; i < TRIES; i++) {
        (void)snprintf(name, PART_FILE_NAME, PREFIX "%016llx" SUFFIX,
                       (unsigned long long)seams_random_u64(seams));
        got = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (got < 0 && errno != EEXIST)
            return error_errno(err, errno, "creating a temporary file");
        if (got >= 0 && holds(got)) {
            *fd = got;
            return STATUS_OK;
        }
        if (got >= 0)
            close(got); /* it was swept before it was locked */
    }
    return error_set(err, STATUS_IO, "found no unused name for a temporary file in %d tries",
                     TRIES);
}

static bool is_part_name(const char *name)
{
    size_t n = strlen(PREFIX);

    return strncmp(name, PREFIX, n) == 0 && strspn(name + n, "0123456789abcdef") == DIGITS &&
           strcmp(name + n + DIGITS, SUFFIX) == 0;
}

static void sweep_one(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat s;

    if (fd < 0)
        return;
    if (!fstat(fd, &s) && S_ISREG(s.st_mode) && s.st_uid == geteuid() &&
        !flock(fd, LOCK_EX | LOCK_NB))
        (void)unlinkat(dir, name, 0);
    close(fd);
}

void part_files_sweep(int dir)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;

    if (!d) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((e = readdir(d)) != NULL) {
        if (is_part_name(e->d_name))
            sweep_one(dir, e->d_name);
    }
    closedir(d);
}
