/* chat_history.c - see chat_history.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/chat_history.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/file_open.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/base/private_file.h"

#define FILE_MAX ((size_t)16 << 20)

/* Lines that are not a string are left out: a crash may have cut one. */
static void take_lines(struct chat_history *h, const char *bytes, size_t n)
{
    while (n > 0) {
        const char *end = memchr(bytes, '\n', n);
        size_t len = end ? (size_t)(end - bytes) : n;
        struct json *v = NULL;
        struct error ignored = ERROR_INIT;

        if (len > 0 && !jv_parse(bytes, len, "chat_history", &v, &ignored) &&
            jv_kind(v) == JV_STRING) {
            h->text = xrealloc(h->text, (h->n + 1) * sizeof(*h->text));
            h->text[h->n] = STR_INIT;
            str_append(&h->text[h->n++], jv_get_string(v, ""), jv_string_len(v));
        }
        jv_unref(v);
        bytes += len + (end ? 1 : 0);
        n -= len + (end ? 1 : 0);
    }
}

static void drop_oldest(struct chat_history *h, size_t n)
{
    for (size_t i = 0; i < n; i++)
        str_deinit(&h->text[i]);
    memmove(h->text, h->text + n, (h->n - n) * sizeof(*h->text));
    h->n -= n;
}

static void put_line(const char *message, struct str *out)
{
    struct json *v = jv_string(message);

    jv_write(v, 0, out);
    str_putc(out, '\n');
    jv_unref(v);
}

static enum status cut(struct chat_history *h, const char *path, const struct seams *seams,
                       struct error *err)
{
    struct str all;
    enum status st;

    drop_oldest(h, h->n - CHAT_HISTORY_KEPT);
    str_init(&all, FILE_MAX);
    for (size_t i = 0; i < h->n; i++)
        put_line(str_cstr(&h->text[i]), &all);
    st = str_ok(&all) ? file_write_atomic(seams, path, str_cstr(&all), all.len, err) : STATUS_OK;
    str_deinit(&all);
    return st;
}

static enum status read_file(struct chat_history *h, const char *path, const struct seams *seams,
                             struct error *err)
{
    char *bytes = NULL;
    size_t n = 0;
    enum status st = file_exists(path) ? file_read(path, FILE_MAX, &bytes, &n, err) : STATUS_OK;

    if (!st && bytes)
        take_lines(h, bytes, n);
    free(bytes);
    if (!st && h->n > 2 * CHAT_HISTORY_KEPT) /* not each time */
        st = cut(h, path, seams, err);
    return st;
}

enum status chat_history_open(struct chat_history *h, const struct seams *seams, struct error *err)
{
    struct str path = STR_INIT;
    char *folder;
    enum status st;

    *h = (struct chat_history){.fd = -1};
    st = private_file_path("chat_history", &path, err);
    if (!st) {
        folder =
            xstrndup(str_cstr(&path), (size_t)(strrchr(str_cstr(&path), '/') - str_cstr(&path)));
        st = dir_make(folder, err);
        free(folder);
    }
    if (!st)
        st = read_file(h, str_cstr(&path), seams, err);
    if (!st)
        st = file_open(str_cstr(&path), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW,
                       S_IRUSR | S_IWUSR, &h->fd, NULL, err);
    if (!st)
        (void)!fchmod(h->fd, S_IRUSR | S_IWUSR); /* also one that was there */
    str_deinit(&path);
    return st;
}

void chat_history_add(struct chat_history *h, const char *message)
{
    struct str line = STR_INIT;

    if (h->fd < 0)
        return;
    put_line(message, &line);
    if (str_ok(&line)) /* a disk that is full loses the line, and nothing else */
        (void)!write(h->fd, str_cstr(&line), line.len);
    str_deinit(&line);
}

void chat_history_close(struct chat_history *h)
{
    if (h->fd >= 0)
        close(h->fd);
    for (size_t i = 0; i < h->n; i++)
        str_deinit(&h->text[i]);
    free(h->text);
    *h = (struct chat_history){.fd = -1};
}
