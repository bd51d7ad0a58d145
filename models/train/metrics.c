/* metrics.c - see metrics.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/train/tfevents.h"
#include "runtime/base/file_open.h"
#include "runtime/base/memory.h"

#define MAX_TAG 256

static double wall_seconds(const struct metrics *m)
{
    return (double)seams_wall_ms(m->seams) / 1000.0;
}

static enum status append(struct metrics *m, int which, const struct str *bytes, struct error *err)
{
    int e;

    if (!str_ok(bytes))
        return error_set(err, STATUS_NO_MEMORY, "no memory for a line of %s", m->path[which]);
    e = m->seams->file.write_all(m->seams->file.ctx, m->fd[which], str_cstr(bytes), bytes->len);
    if (e)
        return error_errno(err, e, "writing %s", m->path[which]);
    m->bytes[which] += (int64_t)bytes->len;
    return STATUS_OK;
}

/* Opens, and checks that the file can be cut to `keep` bytes. */
static enum status open_at(struct metrics *m, int which, int64_t keep, struct error *err)
{
    const char *path = m->path[which];
    struct stat info;
    enum status st = file_open(path, O_RDWR | O_CREAT, 0666, &m->fd[which], &info, err);
    char last = '\n';

    if (st)
        return st;
    if (info.st_size == 0)
        keep = 0;
    if (which == 0 && keep > 0 && keep <= info.st_size && pread(m->fd[0], &last, 1, keep - 1) != 1)
        return error_errno(err, errno, "reading %s", path);
    if (keep > info.st_size || last != '\n') {
        (void)error_set(
            err, STATUS_CONFIG,
            "%s was changed by another program: at the checkpoint it had %lld bytes, %s", path,
            (long long)keep, keep > info.st_size ? "now it has fewer" : "but no line ends there");
        error_hint(err, "restore the file, or move it away to start a new one");
        return STATUS_CONFIG;
    }
    m->bytes[which] = keep;
    return STATUS_OK;
}

/* Cuts off what was written after the checkpoint. */
static enum status cut(struct metrics *m, int which, struct error *err)
{
    if (ftruncate(m->fd[which], m->bytes[which]) ||
        lseek(m->fd[which], m->bytes[which], SEEK_SET) < 0)
        return error_errno(err, errno, "truncating %s", m->path[which]);
    return STATUS_OK;
}

enum status metrics_open(struct metrics *m, const struct seams *seams, const char *out,
                         const int64_t keep[2], struct error *err)
{
    static const char *const name[2] = {"metrics.jsonl", "events.out.tfevents.troupe"};
    enum status st = STATUS_OK;

    memset(m, 0, sizeof(*m));
    m->seams = seams;
    m->fd[0] = m->fd[1] = -1;
    for (int i = 0; i < 2 && !st; i++) {
        struct str path = STR_INIT;

        str_printf(&path, "%s/%s", out, name[i]);
        m->path[i] = str_take(&path);
        st = open_at(m, i, keep[i], err);
    }
    for (int i = 0; i < 2 && !st; i++)
        st = cut(m, i, err);
    if (!st && m->bytes[1] == 0) {
        struct str header = STR_INIT;

        tfevents_put_header(&header, wall_seconds(m));
        st = append(m, 1, &header, err);
        str_deinit(&header);
    }
    if (st)
        metrics_close(m);
    return st;
}

void metrics_close(struct metrics *m)
{
    for (int i = 0; i < 2; i++) {
        if (m->path[i] && m->fd[i] >= 0)
            close(m->fd[i]);
        free(m->path[i]);
        m->path[i] = NULL;
    }
}

/* Numbers become scalars tag/KEY, those of an object tag/KEY/KEY. */
static void put_scalars(struct str *events, double now, int64_t update, const char *tag,
                        const struct json *object)
{
    struct json *value;
    const char *key;

    for (void *it = NULL; (it = jv_next(object, it, &key, &value));) {
        struct str name;

        str_init(&name, MAX_TAG);
        str_printf(&name, "%s/%s", tag, key);
        if (jv_kind(value) == JV_INT || jv_kind(value) == JV_REAL)
            tfevents_put_scalar(events, now, update, str_cstr(&name),
                                (float)jv_get_number(value, 0));
        else if (jv_kind(value) == JV_OBJECT && str_ok(&name))
            put_scalars(events, now, update, str_cstr(&name), value);
        str_deinit(&name);
    }
}

enum status metrics_write(struct metrics *m, int64_t update, const char *prefix, struct json *adopt,
                          struct error *err)
{
    struct str line = STR_INIT, events = STR_INIT;
    struct json *value;
    const char *key;
    enum status st;

    str_printf(&line, "{\"update\":%lld", (long long)update);
    for (void *it = NULL; (it = jv_next(adopt, it, &key, &value));) {
        str_putc(&line, ',');
        str_put_json_string(&line, key, strlen(key));
        str_putc(&line, ':');
        jv_write(value, 0, &line);
    }
    str_puts(&line, "}\n");
    put_scalars(&events, wall_seconds(m), update, prefix, adopt);
    st = append(m, 0, &line, err);
    if (!st)
        st = append(m, 1, &events, err);
    str_deinit(&line);
    str_deinit(&events);
    jv_unref(adopt);
    return st;
}

enum status metrics_sync(struct metrics *m, struct error *err)
{
    for (int i = 0; i < 2; i++) {
        int e = m->seams->file.sync(m->seams->file.ctx, m->fd[i]);

        if (e)
            return error_errno(err, e, "writing %s", m->path[i]);
    }
    return STATUS_OK;
}
