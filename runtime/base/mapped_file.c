/* mapped_file.c - see mapped_file.h.
 *
 * A slot of the table is free, taken (its numbers are being written) or in use. The handler reads
 * only slots in use. The range is written before a slot is in use, and the slot is free before its
 * range is unmapped. SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/mapped_file.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/file_open.h"
#include "runtime/base/memory.h"

enum slot_state { SLOT_FREE, SLOT_TAKEN, SLOT_IN_USE };

struct slot {
    _Atomic int state;
    _Atomic int cut;
    _Atomic uintptr_t begin, end;
};

/* The only variables of the program that are not constant: a signal handler has no context. */
static struct slot table[MAPPED_FILES_MAX];
static _Atomic uint32_t n_cut;
static struct sigaction before; /* written once, before the handler is installed */

struct mapped_file {
    struct slot *slot;
    char *name;
    void *bytes;
    size_t n;
    struct file_identity identity;
    bool is_private;
};

static struct slot *take_slot(void *bytes, size_t n)
{
    for (size_t i = 0; i < MAPPED_FILES_MAX; i++) {
        int free_slot = SLOT_FREE;

        if (!atomic_compare_exchange_strong(&table[i].state, &free_slot, SLOT_TAKEN))
            continue;
        atomic_store(&table[i].cut, 0);
        atomic_store(&table[i].begin, (uintptr_t)bytes);
        atomic_store(&table[i].end, (uintptr_t)bytes + n);
        atomic_store(&table[i].state, SLOT_IN_USE);
        return &table[i];
    }
    return NULL;
}

static struct slot *slot_of(uintptr_t at)
{
    for (size_t i = 0; i < MAPPED_FILES_MAX; i++)
        if (atomic_load(&table[i].state) == SLOT_IN_USE && at >= atomic_load(&table[i].begin) &&
            at < atomic_load(&table[i].end))
            return &table[i];
    return NULL;
}

static struct file_identity identity_of(const struct stat *s)
{
    return (struct file_identity){
        .device = (uint64_t)s->st_dev,
        .inode = (uint64_t)s->st_ino,
        .size = (uint64_t)s->st_size,
        .modified_ns = (int64_t)s->st_mtim.tv_sec * 1000000000 + s->st_mtim.tv_nsec,
    };
}

enum status mapped_file_open(const char *path, struct mapped_file **out, struct error *err)
{
    struct mapped_file *m;
    struct slot *slot;
    struct stat info;
    void *p;
    int fd = -1;
    enum status st = file_open(path, O_RDONLY, 0, &fd, &info, err);

    if (st)
        return st;
    if (info.st_size == 0) {
        close(fd);
        return error_set(err, STATUS_INVALID, "%s is empty", path);
    }
    p = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        return error_errno(err, errno, "cannot map %s", path);
    slot = take_slot(p, (size_t)info.st_size);
    if (!slot) {
        munmap(p, (size_t)info.st_size);
        return error_set(err, STATUS_LIMIT, "%s: %d files are mapped already", path,
                         MAPPED_FILES_MAX);
    }
    m = xcalloc(1, sizeof(*m));
    *m = (struct mapped_file){slot,
                              xstrdup(path),
                              p,
                              (size_t)info.st_size,
                              identity_of(&info),
                              info.st_uid == geteuid() && (info.st_mode & 077) == 0};
    *out = m;
    return STATUS_OK;
}

void mapped_file_close(struct mapped_file *m)
{
    if (!m)
        return;
    atomic_store(&m->slot->state, SLOT_FREE);
    munmap(m->bytes, m->n);
    free(m->name);
    free(m);
}

const void *mapped_file_bytes(const struct mapped_file *m)
{
    return m->bytes;
}

size_t mapped_file_size(const struct mapped_file *m)
{
    return m->n;
}

const char *mapped_file_name(const struct mapped_file *m)
{
    return m->name;
}

struct file_identity mapped_file_identity(const struct mapped_file *m)
{
    return m->identity;
}

bool mapped_file_is_private(const struct mapped_file *m)
{
    return m->is_private;
}

bool mapped_file_is_cut(const struct mapped_file *m)
{
    return atomic_load(&m->slot->cut) != 0;
}

/* A file that has another one's name now is still whole: it is the name that changed. */
enum status mapped_file_check(const struct mapped_file *m, struct error *err)
{
    struct stat s;
    bool shorter = stat(m->name, &s) == 0 && (uint64_t)s.st_dev == m->identity.device &&
                   (uint64_t)s.st_ino == m->identity.inode && (size_t)s.st_size < m->n;

    if (!shorter && !mapped_file_is_cut(m))
        return STATUS_OK;
    (void)error_set(err, STATUS_IO, "%s was cut while it was in use", m->name);
    error_hint(err, "replace a model by renaming a new file over it, and start again");
    return STATUS_IO;
}

uint32_t mapped_files_cut(void)
{
    return atomic_load_explicit(&n_cut, memory_order_acquire);
}

static uintptr_t page_bytes(void)
{
    return (uintptr_t)sysconf(_SC_PAGESIZE);
}

void mapped_file_drop(const void *p, size_t n)
{
    uintptr_t page = page_bytes(), begin = ((uintptr_t)p + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)p + n) / page * page;

    if (begin < end && slot_of((uintptr_t)p))
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}

/* Only what POSIX or Linux allows in a handler: atomics, and two system calls. */
static void on_bus_error(int signo, siginfo_t *info, void *context)
{
    uintptr_t page = page_bytes(), at = (uintptr_t)info->si_addr / page * page;
    struct slot *slot = info->si_code == BUS_ADRERR ? slot_of((uintptr_t)info->si_addr) : NULL;
    int saved = errno;

    (void)context;
    if (slot && mmap((void *)at, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
                    MAP_FAILED) {
        atomic_store(&slot->cut, 1);
        atomic_fetch_add(&n_cut, 1);
    } else {
        sigaction(signo, &before, NULL); /* the access is made again, and has the other handler */
    }
    errno = saved;
}

enum status mapped_files_catch_cuts(struct error *err)
{
    struct sigaction sa, now;

    memset(&sa, 0, sizeof(sa));
    sa.sa_sigaction = on_bus_error;
    sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
    if (sigaction(SIGBUS, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO &&
        now.sa_sigaction == on_bus_error)
        return STATUS_OK;
    before = now;
    if (sigaction(SIGBUS, &sa, NULL))
        return error_errno(err, errno, "installing a handler of SIGBUS");
    return STATUS_OK;
}
