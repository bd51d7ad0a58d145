/* run_lock.c - who is alive: kernel locks on one byte a run of the owners file.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int lock_op(int fd, int cmd, short type, off_t at, off_t n)
{
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = n};
    int rc;

    do {
        rc = fcntl(fd, cmd, &l);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return errno;
    return cmd == F_OFD_GETLK && l.l_type != F_UNLCK ? EAGAIN : 0;
}

enum status run_lock_take(const char *owners_path, int64_t id, int *fd, struct error *err)
{
    int f = open(owners_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    int e;

    if (f < 0)
        return error_errno(err, errno, "%s", owners_path);
    e = lock_op(f, F_OFD_SETLK, F_WRLCK, (off_t)id, 1);
    if (e == 0) {
        *fd = f;
        return STATUS_OK;
    }
    close(f);
    if (e == EAGAIN || e == EACCES)
        return error_set(err, STATUS_BUSY, "the run is held by a living process");
    return error_errno(err, e, "locking in %s", owners_path);
}

int run_lock_probe_open(const char *owners_path)
{
    return open(owners_path, O_RDONLY | O_CLOEXEC);
}

bool run_lock_is_held(int probe_fd, int64_t id)
{
    return probe_fd >= 0 && lock_op(probe_fd, F_OFD_GETLK, F_WRLCK, (off_t)id, 1) == EAGAIN;
}

bool run_lock_any_is_held(const char *owners_path)
{
    int fd = run_lock_probe_open(owners_path);
    bool is_held = fd >= 0 && lock_op(fd, F_OFD_GETLK, F_WRLCK, 0, 0) == EAGAIN;

    if (fd >= 0)
        close(fd);
    return is_held;
}

enum status file_lock_take(int fd, struct error *err)
{
    int e = lock_op(fd, F_OFD_SETLKW, F_WRLCK, 0, 0);

    return e ? error_errno(err, e, "locking the store") : STATUS_OK;
}

void file_lock_release(int fd)
{
    (void)lock_op(fd, F_OFD_SETLK, F_UNLCK, 0, 0);
}
