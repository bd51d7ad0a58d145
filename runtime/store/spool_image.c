/* spool_image.c - records of a file of calls as bytes: how they are made, found and read.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/file_open.h"
#include "runtime/base/memory.h"
#include "runtime/store/run_lock.h"
#include "runtime/store/spool_format.h"

#define HEAD_MAGIC   "trpcall1"
#define RECORD_MAGIC "Call"
#define N_TEXTS      8

/* ---- writing */

static void read_boot(char out[40])
{
    char *text = NULL;
    size_t n = 0;

    memset(out, 0, 40);
    if (file_read("/proc/sys/kernel/random/boot_id", 64, &text, &n, NULL))
        return;
    memcpy(out, text, n < 39 ? n : 39);
    free(text);
}

void spool_head_fill(struct spool_head *h, const struct spool_id *id)
{
    memcpy(h->magic, HEAD_MAGIC, sizeof(h->magic));
    h->id = *id;
    read_boot(h->boot);
}

static uint32_t crc_of(const struct spool_id *id, const unsigned char *record, size_t n)
{
    size_t from = offsetof(struct spool_record, bytes);

    return crc32c(crc32c(0, id, sizeof(*id)), record + from, n - from);
}

void spool_record_put(struct str *out, const struct spool_id *id, const struct call_audit_row *row,
                      uint64_t number, uint64_t synced)
{
    const char *const texts[N_TEXTS] = {row->who,    row->view,     row->server, row->method,
                                        row->target, row->decision, row->rule,   row->outcome};
    struct spool_record r = {.magic = RECORD_MAGIC,
                             .effect = (int32_t)row->effect,
                             .number = number,
                             .synced = synced,
                             .at_ms = row->at_ms,
                             .took_us = row->took_us,
                             .arguments = row->arguments};

    str_clear(out);
    str_append(out, (const char *)&r, sizeof(r));
    for (int i = 0; i < N_TEXTS; i++)
        str_append(out, texts[i] ? texts[i] : "", texts[i] ? strlen(texts[i]) + 1 : 1);
    while (out->len % SPOOL_ALIGN)
        str_putc(out, '\0');
    if (!str_ok(out))
        return;
    r.bytes = (uint32_t)out->len;
    memcpy(out->data, &r, sizeof(r));
    r.crc = crc_of(id, (const unsigned char *)out->data, out->len);
    memcpy(out->data, &r, sizeof(r));
}

/* ---- finding */

/* All texts end inside the record. */
static bool has_texts(const unsigned char *from, size_t n)
{
    for (int i = 0; i < N_TEXTS; i++) {
        const unsigned char *end = memchr(from, 0, n);

        if (!end)
            return false;
        n -= (size_t)(end + 1 - from);
        from = end + 1;
    }
    return true;
}

/* A sound record at `at`. */
static bool record_at(const struct spool_image *m, size_t at, struct spool_record *out)
{
    if (m->n - at < sizeof(*out) || memcmp(m->bytes + at, RECORD_MAGIC, 4) != 0)
        return false;
    memcpy(out, m->bytes + at, sizeof(*out));
    return out->bytes >= sizeof(*out) + N_TEXTS && out->bytes <= m->n - at &&
           out->bytes % SPOOL_ALIGN == 0 && out->crc == crc_of(&m->id, m->bytes + at, out->bytes) &&
           has_texts(m->bytes + at + sizeof(*out), out->bytes - sizeof(*out));
}

struct call_audit_row spool_row_at(const struct spool_image *m, const struct spool_row *row)
{
    struct spool_record r;
    struct call_audit_row out = {0};
    const char **const texts[N_TEXTS] = {&out.who,    &out.view,     &out.server, &out.method,
                                         &out.target, &out.decision, &out.rule,   &out.outcome};
    const char *text = (const char *)m->bytes + row->at + sizeof(r);

    memcpy(&r, m->bytes + row->at, sizeof(r));
    out.at_ms = r.at_ms;
    out.took_us = r.took_us;
    out.effect = (enum effect)r.effect;
    out.arguments = r.arguments;
    for (int i = 0; i < N_TEXTS; i++) {
        *texts[i] = text;
        text += strlen(text) + 1;
    }
    return out;
}

static int by_number(const void *a, const void *b)
{
    const struct spool_row *x = a, *y = b;

    return x->number < y->number ? -1 : x->number > y->number;
}

/* `synced`: what the records know to be on the disk. */
static enum status check_numbers(const struct spool_image *m, const struct spool_rows *rows,
                                 uint64_t after, uint64_t synced, const char *path,
                                 struct error *err)
{
    uint64_t next = after + 1;

    for (size_t i = 0; i < rows->n; i++) {
        if (rows->row[i].number != next && (m->is_of_this_boot || next <= synced)) {
            (void)error_set(err, STATUS_CORRUPT, "%s: record %llu is damaged or missing", path,
                            (unsigned long long)next);
            error_hint(err, "keep a copy of the file; once it has another name the store goes on "
                            "without the calls in it");
            return STATUS_CORRUPT;
        }
        next = rows->row[i].number + 1;
    }
    return STATUS_OK;
}

enum status spool_find_rows(const struct spool_image *m, uint64_t after, const char *path,
                            struct spool_rows *out, struct error *err)
{
    struct spool_rows rows = {0};
    uint64_t synced = 0;
    size_t max = m->n / (sizeof(struct spool_record) + N_TEXTS) + 1, at = 0;
    enum status st = STATUS_OK;

    rows.row = mem_alloc(max, sizeof(*rows.row));
    if (!rows.row)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the rows in %s", path);
    while (at < m->n) {
        struct spool_record r;

        if (!record_at(m, at, &r)) {
            at += SPOOL_ALIGN;
            continue;
        }
        if (r.number > after) {
            rows.row[rows.n++] = (struct spool_row){.number = r.number, .at = at};
            synced = r.synced > synced ? r.synced : synced;
        }
        at += r.bytes;
    }
    qsort(rows.row, rows.n, sizeof(*rows.row), by_number);
    if (!m->is_live)
        st = check_numbers(m, &rows, after, synced, path, err);
    if (st)
        spool_rows_deinit(&rows);
    else
        *out = rows;
    return st;
}

void spool_rows_deinit(struct spool_rows *r)
{
    free(r->row);
    r->row = NULL;
    r->n = 0;
}

/* ---- images */

char *spool_path(const char *store, int slot)
{
    struct str s = STR_INIT;

    str_printf(&s, slot ? "%s.calls.%d" : "%s.calls", store, slot);
    return str_take(&s);
}

static bool is_zero(const unsigned char *bytes, size_t n)
{
    while (n > 0 && bytes[n - 1] == 0)
        n--;
    return n == 0;
}

/* A file whose first write did not reach the disk is as good as empty. */
static enum status take_head(struct spool_image *m, const char *path, struct error *err)
{
    struct spool_head h, now;

    if (m->n < sizeof(h) || is_zero(m->bytes, sizeof(h))) {
        m->n = 0;
        return STATUS_OK;
    }
    memcpy(&h, m->bytes, sizeof(h));
    if (memcmp(h.magic, HEAD_MAGIC, sizeof(h.magic)) != 0)
        return error_set(err, STATUS_CORRUPT, "%s is not a file of calls", path);
    m->id = h.id;
    spool_head_fill(&now, &h.id);
    m->is_of_this_boot = now.boot[0] && memcmp(now.boot, h.boot, sizeof(h.boot)) == 0;
    return STATUS_OK;
}

static enum status read_all(int fd, size_t size, const char *path, struct spool_image *m,
                            struct error *err)
{
    if (size > SPOOL_BYTES)
        return error_set(err, STATUS_CORRUPT, "%s is not a file of calls: it is too large", path);
    m->bytes = mem_alloc(size + 1, 1);
    if (!m->bytes)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the rows in %s", path);
    while (m->n < size) {
        ssize_t k = pread(fd, m->bytes + m->n, size - m->n, (off_t)m->n);

        if (k < 0)
            return error_errno(err, 0, "reading %s", path);
        if (k == 0)
            break; /* emptied meanwhile */
        m->n += (size_t)k;
    }
    return take_head(m, path, err);
}

enum status spool_look(const char *store, int slot, struct spool_image *out, struct error *err)
{
    struct spool_image m = {0};
    char *path = spool_path(store, slot);
    struct stat info;
    int fd;
    enum status st = file_open(path, O_RDONLY, 0, &fd, &info, err);

    if (st == STATUS_OK) {
        /* asked first: a file that is free now does not change while it is read, unless it is
         * emptied after its rows came into the table */
        m.is_live = run_lock_is_held(fd, 0);
        st = read_all(fd, (size_t)info.st_size, path, &m, err);
        close(fd);
    }
    free(path);
    if (st)
        spool_image_deinit(&m);
    else
        *out = m;
    return st;
}

void spool_image_deinit(struct spool_image *m)
{
    free(m->bytes);
    *m = (struct spool_image){0};
}
