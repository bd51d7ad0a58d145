/* run_lock.c - live owners of runs: kernel locks on one byte per run of the owners file.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/file_open.h"
#include "runtime/base/time_text.h"

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
    int e, f = -1;
    enum status st = file_open(owners_path, O_RDWR | O_CREAT, 0600, &f, NULL, err);

    if (st)
        return st;
    e = lock_op(f, F_OFD_SETLK, F_WRLCK, (off_t)id, 1);
    if (e == 0) {
        *fd = f;
        return STATUS_OK;
    }
    close(f);
    if (e == EAGAIN || e == EACCES)
        return error_set(err, STATUS_BUSY, "another process owns the run");
    return error_errno(err, e, "locking in %s", owners_path);
}

int run_lock_probe_open(const char *owners_path)
{
    int fd = -1;

    return file_open(owners_path, O_RDONLY, 0, &fd, NULL, NULL) ? -1 : fd;
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

/* "PID MILLISECONDS", blanks to LINE_BYTES, a newline. */
#define LINE_BYTES 40

static void write_holder(int fd, int64_t now_ms)
{
    char line[LINE_BYTES + 2];
    int n = snprintf(line, sizeof(line), "%ld %lld", (long)getpid(), (long long)now_ms);

    (void)snprintf(line + n, sizeof(line) - (size_t)n, "%*s\n", LINE_BYTES - n, "");
    /* On a full disk the line is missing; the lock works without it. */
    if (pwrite(fd, line, LINE_BYTES + 1, 0) < 0)
        return;
}

static enum status name_holder(int fd, struct error *err)
{
    char line[LINE_BYTES + 1] = "", when[32];
    long pid = 0;
    long long since = 0;

    if (pread(fd, line, LINE_BYTES, 0) < 0 || sscanf(line, "%ld %lld", &pid, &since) != 2)
        return error_set(err, STATUS_BUSY, "another process is writing to the store");
    store_time_words(since, when);
    (void)error_set(err, STATUS_BUSY, "process %ld has been writing to the store since %s", pid,
                    when);
    error_hint(
        err,
        "try again; if the process is stopped (`ps -o stat= %ld` prints T), continue it with "
        "`kill -CONT %ld`",
        pid, pid);
    return STATUS_BUSY;
}

/* The lock is on the bytes before this one; who waits for it has a shared lock on this one. */
#define WAITER_AT    ((off_t)1 << 40)
#define PAUSE_MAX_US 5000

static void pause_for(int64_t us)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

/* A process that writes without end is outside the lock for microseconds alone, which a poll of
 * another hardly meets. So nobody takes it before those who already wait have had their turn. */
static void let_waiters_go_first(int fd)
{
    for (int i = 0; i < 4 && lock_op(fd, F_OFD_GETLK, F_WRLCK, WAITER_AT, 1) == EAGAIN; i++)
        pause_for(PAUSE_MAX_US / 2);
}

/* Polls, since the kernel's wait has no timeout; the pauses grow to a few milliseconds. */
static int poll_lock(int fd, int64_t wait_us)
{
    int64_t pause_us = 50;
    int e;

    while (((e = file_lock_try(fd)) == EAGAIN || e == EACCES) && wait_us > 0) {
        pause_for(pause_us);
        wait_us -= pause_us;
        pause_us = pause_us * 3 / 2 < PAUSE_MAX_US ? pause_us * 3 / 2 : PAUSE_MAX_US;
    }
    return e;
}

enum status file_lock_take(int fd, int64_t now_ms, int64_t wait_ms, struct error *err)
{
    int e;

    let_waiters_go_first(fd);
    e = file_lock_try(fd);
    if ((e == EAGAIN || e == EACCES) && wait_ms > 0) {
        (void)lock_op(fd, F_OFD_SETLK, F_RDLCK, WAITER_AT, 1);
        e = poll_lock(fd, wait_ms * 1000);
        (void)lock_op(fd, F_OFD_SETLK, F_UNLCK, WAITER_AT, 1);
    }
    if (e == EAGAIN || e == EACCES)
        return name_holder(fd, err);
    if (e)
        return error_errno(err, e, "locking the store");
    write_holder(fd, now_ms);
    return STATUS_OK;
}

int file_lock_try(int fd)
{
    return lock_op(fd, F_OFD_SETLK, F_WRLCK, 0, WAITER_AT);
}

void file_lock_release(int fd)
{
    (void)lock_op(fd, F_OFD_SETLK, F_UNLCK, 0, WAITER_AT);
}

void store_time_words(int64_t ms, char out[32])
{
    struct str text = STR_INIT;

    time_put_local(&text, ms);
    (void)snprintf(out, 32, "%s", str_cstr(&text));
    str_deinit(&text);
}
