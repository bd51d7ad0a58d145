/* app_budget.c - see app_budget.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_budget.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "models/train/checkpoint.h"
#include "runtime/base/memory.h"
#include "runtime/store/query.h"

/* Removes until this share of the budget is free, so that the file is not rewritten for every
 * update. */
#define SLACK 8

static bool is_child(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int64_t bytes_below(const char *dir, int depth)
{
    struct str path = STR_INIT;
    struct dirent *entry;
    struct stat info;
    int64_t sum = 0;
    DIR *d = opendir(dir);

    while (d && (entry = readdir(d)) != NULL) {
        if (!is_child(entry))
            continue;
        str_clear(&path);
        str_printf(&path, "%s/%s", dir, entry->d_name);
        if (lstat(str_cstr(&path), &info) != 0)
            continue;
        if (S_ISREG(info.st_mode))
            sum += (int64_t)info.st_size;
        else if (S_ISDIR(info.st_mode) && depth > 0)
            sum += bytes_below(str_cstr(&path), depth - 1);
    }
    if (d)
        closedir(d);
    str_deinit(&path);
    return sum;
}

/* All files below a folder. */
static int64_t folder_bytes(const char *dir)
{
    return bytes_below(dir, 2); /* OUT/checkpoints/step-N/FILE is the deepest that is written */
}

/* Runs of the store that may be removed, newest first. */
struct old_runs {
    char (*uuid)[37];
    size_t n;
    bool has_train, has_eval;
};

static bool take_old(void *ctx, const struct run_row *r)
{
    struct old_runs *o = ctx;
    bool is_train = strcmp(r->kind, "train") == 0;
    bool *has = is_train ? &o->has_train : &o->has_eval;

    if (!*has) { /* the newest of its kind */
        *has = true;
        return true;
    }
    o->uuid = xrealloc(o->uuid, (o->n + 1) * sizeof(*o->uuid));
    memcpy(o->uuid[o->n++], r->uuid, sizeof(*o->uuid));
    return true;
}

static enum status find_old(struct store *s, struct old_runs *out, struct error *err)
{
    struct store_reader *q = NULL;
    enum status st = store_reader_open(s, &q, err);

    if (st)
        return st;
    st = query_runs(q, 0, 0, take_old, out, err);
    store_reader_close(q);
    return st;
}

/* Bytes of the folder without the free pages of the store. */
static enum status bytes_in_use(const struct disk_budget *b, int64_t *out, struct error *err)
{
    struct store_stats s = {0};
    enum status st = store_stats(b->store, &s, err);

    *out = folder_bytes(b->out) - s.free_bytes - s.wal_bytes;
    return st;
}

static enum status drop_rollouts(struct disk_budget *b, int64_t need, struct error *err)
{
    int64_t most = b->bytes - b->bytes / SLACK - need, used = 0;
    struct old_runs old = {.n = 0};
    enum status st = find_old(b->store, &old, err);
    size_t n = old.n;

    if (!st)
        st = bytes_in_use(b, &used, err);
    while (!st && n > 0 && used > most) {
        st = store_remove_run(b->store, old.uuid[--n], err);
        if (st == STATUS_NOT_FOUND || st == STATUS_BUSY) /* removed, or held by a process */
            st = STATUS_OK;
        if (!st)
            st = store_gc(b->store, NULL, NULL, err);
        if (!st)
            st = bytes_in_use(b, &used, err);
    }
    if (!st)
        st = store_compact(b->store, err);
    if (!st && n < old.n && b->log && !b->logged) {
        b->logged = true;
        log_write(b->log, LOG_INFO, "--disk-budget: removing the oldest recorded rollouts");
    }
    free(old.uuid);
    return st;
}

enum status disk_budget_make_room(struct disk_budget *b, int64_t need, int64_t best,
                                  struct error *err)
{
    int64_t used = folder_bytes(b->out);
    enum status st = STATUS_OK;

    if (b->bytes <= 0 || used + need <= b->bytes)
        return STATUS_OK;
    if (b->store) {
        st = drop_rollouts(b, need, err);
        used = folder_bytes(b->out);
    }
    while (!st && used + need > b->bytes && checkpoint_remove_oldest(b->out, best))
        used = folder_bytes(b->out);
    if (st || used + need <= b->bytes)
        return st;
    (void)error_set(
        err, STATUS_DISK_FULL,
        "--disk-budget %lld is too small: %s needs %lld bytes for the newest rollouts and the "
        "newest and best checkpoints, and %lld more",
        (long long)b->bytes, b->out, (long long)used, (long long)need);
    error_hint(err,
               "continue with --resume and a budget of at least %lld, or fewer --keep-rollouts",
               (long long)(used + need));
    return STATUS_DISK_FULL;
}
