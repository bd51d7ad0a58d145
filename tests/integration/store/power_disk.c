/* power_disk.c - what a disk may contain when the power fails at a position of the log.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/integration/store/power_disk.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "tests/unit/store/store_fixture.h"

#define SECTOR  512
#define N_NODES 64 /* files, including deleted ones; SQLite creates three or four */

struct node {
    unsigned char *bytes; /* as of its last sync */
    size_t len, cap;
    const struct power_event **pending; /* writes and truncations since */
    size_t n_pending, cap_pending;
};

/* A file's name from this event on; node -1: it was deleted. */
struct naming {
    enum power_file file;
    int node;
};

struct power_disk {
    const struct power_vfs *log;
    unsigned deaf_to;
    size_t at;
    struct node node[N_NODES];
    int n_nodes;
    int now[POWER_FILES], synced[POWER_FILES]; /* nodes by name, -1: none */
    struct naming pending[N_NODES * 2];        /* since the folder was last synced */
    int n_pending;
};

/* Bytes of a file in memory: writes and truncations applied one after the other. */
static void resize(struct node *f, size_t len)
{
    if (len > f->cap) {
        f->cap = len + len / 2;
        f->bytes = xrealloc(f->bytes, f->cap);
    }
    if (len > f->len)
        memset(f->bytes + f->len, 0, len - f->len);
    f->len = len;
}

static void put(struct node *f, size_t at, const unsigned char *bytes, size_t n)
{
    if (f->len < at + n)
        resize(f, at + n);
    memcpy(f->bytes + at, bytes, n);
}

static void sync_node(struct power_disk *d, struct node *f)
{
    for (size_t i = 0; i < f->n_pending; i++) {
        const struct power_event *e = f->pending[i];

        if (e->kind == POWER_TRUNCATE)
            resize(f, e->at);
        else
            put(f, e->at, power_vfs_bytes(d->log, e), e->n);
    }
    f->n_pending = 0;
}

static void add_pending(struct node *f, const struct power_event *e)
{
    if (f->n_pending == f->cap_pending) {
        f->cap_pending = f->cap_pending ? f->cap_pending * 2 : 256;
        f->pending = xrealloc(f->pending, f->cap_pending * sizeof(struct power_event *));
    }
    f->pending[f->n_pending++] = e;
}

static void name_node(struct power_disk *d, enum power_file file, int node)
{
    assert_true(d->n_pending < (int)ARRAY_LEN(d->pending));
    d->now[file] = node;
    d->pending[d->n_pending++] = (struct naming){file, node};
}

static void apply(struct power_disk *d, const struct power_event *e)
{
    int node = d->now[e->file];

    switch (e->kind) {
    case POWER_CREATE:
        assert_true(d->n_nodes < N_NODES);
        name_node(d, e->file, d->n_nodes++);
        break;
    case POWER_DELETE:
        name_node(d, e->file, -1);
        break;
    case POWER_WRITE:
    case POWER_TRUNCATE:
        assert_true(node >= 0);
        add_pending(&d->node[node], e);
        break;
    case POWER_SYNC:
        if (node >= 0 && !(d->deaf_to & 1u << e->file))
            sync_node(d, &d->node[node]);
        break;
    case POWER_SYNC_FOLDER:
        memcpy(d->synced, d->now, sizeof(d->synced));
        d->n_pending = 0;
        break;
    }
}

void power_disk_new(const struct power_vfs *log, unsigned deaf_to, struct power_disk **out)
{
    struct power_disk *d = xcalloc(1, sizeof(*d));

    d->log = log;
    d->deaf_to = deaf_to;
    for (int i = 0; i < POWER_FILES; i++)
        d->now[i] = d->synced[i] = -1;
    *out = d;
}

void power_disk_free(struct power_disk *d)
{
    if (!d)
        return;
    for (int i = 0; i < d->n_nodes; i++) {
        free(d->node[i].bytes);
        free(d->node[i].pending);
    }
    free(d);
}

void power_disk_advance(struct power_disk *d, size_t to)
{
    for (; d->at < to; d->at++)
        apply(d, power_vfs_event(d->log, d->at));
}

/* How many of the n changes of one item arrived; by_last: the last change is the last of the file.
 */
static uint32_t draw_arrived(enum power_shape shape, struct power_draw *draw, uint32_t n,
                             bool by_last)
{
    switch (shape) {
    case POWER_NONE:
        return 0;
    case POWER_HALF:
        return power_draw(draw, n + 1);
    case POWER_FEW:
        return power_draw(draw, 8) ? 0 : 1 + power_draw(draw, n);
    case POWER_MOST:
        return power_draw(draw, 8) ? n : power_draw(draw, n);
    case POWER_TORN:
        return n - (by_last ? power_draw(draw, 2) : 0);
    case POWER_LAST:
        return by_last ? n : 0;
    default: /* POWER_ALL */
        return n;
    }
}

/* What arrived of one file: the first n_meta of its pending changes of size and name, and the first
 * `arrived` pending versions of each sector. */
struct arrival {
    uint32_t n_meta;
    uint32_t *arrived; /* by sector */
    uint32_t *seen;    /* by sector: versions seen so far */
    size_t n_sectors;
    bool has_noise;
};

static size_t end_of_writes(const struct node *f)
{
    size_t end = f->len;

    for (size_t i = 0; i < f->n_pending; i++)
        if (f->pending[i]->at + f->pending[i]->n > end)
            end = f->pending[i]->at + f->pending[i]->n;
    return end;
}

static void draw_arrival(const struct node *f, enum power_shape shape, struct power_draw *draw,
                         struct arrival *a)
{
    const struct power_event *last = f->n_pending ? f->pending[f->n_pending - 1] : NULL;

    a->n_sectors = end_of_writes(f) / SECTOR + 1;
    a->arrived = xcalloc(a->n_sectors, sizeof(*a->arrived));
    a->seen = xcalloc(a->n_sectors, sizeof(*a->seen));
    for (size_t i = 0; i < f->n_pending; i++) {
        const struct power_event *e = f->pending[i];

        for (size_t s = e->at / SECTOR; e->n > 0 && s <= (e->at + e->n - 1) / SECTOR; s++)
            a->arrived[s]++;
    }
    for (size_t s = 0; s < a->n_sectors; s++) {
        bool by_last =
            last && last->n > 0 && s >= last->at / SECTOR && s <= (last->at + last->n - 1) / SECTOR;

        if (a->arrived[s] > 0)
            a->arrived[s] = draw_arrived(shape, draw, a->arrived[s], by_last);
    }
    if (f->n_pending > 0)
        a->n_meta = draw_arrived(shape, draw, (uint32_t)f->n_pending, true);
    a->has_noise = power_draw(draw, 4) == 0;
}

static void write_sectors(const struct power_disk *d, const struct power_event *e,
                          struct arrival *a, struct node *to)
{
    const unsigned char *bytes = power_vfs_bytes(d->log, e);
    size_t at = e->at, end = e->at + e->n;

    while (at < end) {
        size_t s = at / SECTOR, n = (s + 1) * SECTOR - at;

        if (n > end - at)
            n = end - at;
        if (a->seen[s]++ < a->arrived[s])
            put(to, at, bytes + (at - e->at), n);
        at += n;
    }
}

/* The file grew, but its bytes did not arrive. */
static void grow_unwritten(struct node *f, size_t len, bool has_noise, struct power_draw *draw)
{
    size_t from = f->len;

    if (len <= from)
        return;
    resize(f, len);
    for (size_t i = from; has_noise && i < len; i++)
        f->bytes[i] =
            (unsigned char)(i % 16 ? (f->bytes[i - 1] * 5u + 113u) & 255u : power_draw(draw, 256));
}

static void crash_node(const struct power_disk *d, const struct node *f, enum power_shape shape,
                       struct power_draw *draw, struct node *to)
{
    struct arrival a = {.n_meta = 0};

    draw_arrival(f, shape, draw, &a);
    resize(to, f->len);
    if (f->len > 0)
        memcpy(to->bytes, f->bytes, f->len);
    for (size_t i = 0; i < f->n_pending; i++) {
        const struct power_event *e = f->pending[i];

        if (e->kind == POWER_TRUNCATE) {
            if (i < a.n_meta)
                resize(to, e->at);
            continue;
        }
        if (i < a.n_meta)
            grow_unwritten(to, e->at + e->n, a.has_noise, draw);
        write_sectors(d, e, &a, to);
    }
    free(a.arrived);
    free(a.seen);
}

static void write_file(const char *name, const struct node *f)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    for (size_t at = 0; at < f->len;) {
        ssize_t n = write(fd, f->bytes + at, f->len - at);

        assert_true(n > 0);
        at += (size_t)n;
    }
    close(fd);
}

void power_disk_crash(const struct power_disk *d, enum power_shape shape, struct power_draw *draw,
                      const char *path)
{
    static const char *const tail[POWER_FILES] = {"", "-wal", "-journal"};
    int named[POWER_FILES];
    uint32_t n_arrived = 0;

    memcpy(named, d->synced, sizeof(named));
    if (d->n_pending > 0)
        n_arrived = draw_arrived(shape, draw, (uint32_t)d->n_pending, true);
    for (uint32_t i = 0; i < n_arrived; i++)
        named[d->pending[i].file] = d->pending[i].node;
    for (int i = 0; i < POWER_FILES; i++) {
        struct node image = {.len = 0};
        char name[160];

        (void)snprintf(name, sizeof(name), "%s%s", path, tail[i]);
        (void)unlink(name);
        if (named[i] < 0)
            continue;
        crash_node(d, &d->node[named[i]], shape, draw, &image);
        write_file(name, &image);
        free(image.bytes);
    }
}
