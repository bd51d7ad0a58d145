/* chat_guard.c - marks around special tokens in foreign text: added before rendering, removed when
 * encoding.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/chat_guard.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

/* U+E000 and U+E001. */
#define OPEN     "\xee\x80\x80"
#define CLOSE    "\xee\x80\x81"
#define MARK_LEN 3
#define REPLACED "\xef\xbf\xbd"

void chat_guard_init(struct chat_guard *g, const struct tokenizer *t)
{
    int32_t size = tokenizer_size(t);
    size_t cap = 0;

    *g = (struct chat_guard){.n = 0};
    for (int32_t id = 0; id < size; id++)
        cap += tokenizer_is_special(t, id);
    g->special = xcalloc(cap + 1, sizeof(*g->special));
    g->special_len = xcalloc(cap + 1, sizeof(*g->special_len));
    for (int32_t id = 0; id < size; id++) {
        size_t n = 0;
        const char *bytes = tokenizer_is_special(t, id) ? tokenizer_bytes(t, id, &n) : NULL;

        if (!bytes || n == 0)
            continue;
        g->special[g->n] = bytes;
        g->special_len[g->n++] = n;
        g->begins[(unsigned char)bytes[0]] = true;
    }
}

void chat_guard_deinit(struct chat_guard *g)
{
    free(g->special);
    free(g->special_len);
}

/* Length of the longest special token that begins here; 0: none. */
static size_t special_at(const struct chat_guard *g, const char *text, size_t n)
{
    size_t longest = 0;

    if (!g->begins[(unsigned char)*text])
        return 0;
    for (size_t i = 0; i < g->n; i++) {
        if (g->special_len[i] <= n && g->special_len[i] > longest &&
            memcmp(text, g->special[i], g->special_len[i]) == 0)
            longest = g->special_len[i];
    }
    return longest;
}

static bool is_mark(const char *text, size_t n)
{
    return n >= MARK_LEN &&
           (memcmp(text, OPEN, MARK_LEN) == 0 || memcmp(text, CLOSE, MARK_LEN) == 0);
}

void chat_guard_text(const struct chat_guard *g, const char *text, size_t n, struct str *out)
{
    size_t from = 0, i = 0; /* text from `from` on is not copied yet */

    while (i < n) {
        size_t len = special_at(g, text + i, n - i);
        bool mark = !len && is_mark(text + i, n - i);

        if (!len && !mark) {
            i++;
            continue;
        }
        str_append(out, text + from, i - from);
        if (mark) {
            str_puts(out, REPLACED);
            len = MARK_LEN;
        } else {
            str_puts(out, OPEN);
            str_append(out, text + i, len);
            str_puts(out, CLOSE);
        }
        i += len;
        from = i;
    }
    str_append(out, text + from, n - from);
}

static struct json *guard_object(const struct chat_guard *g, const struct json *v)
{
    struct json *out = jv_object(), *value;
    const char *key;

    for (void *it = NULL; (it = jv_next(v, it, &key, &value));) {
        struct str name = STR_INIT;

        chat_guard_text(g, key, strlen(key), &name);
        jv_set_adopt(out, str_cstr(&name), chat_guard_json(g, value));
        str_deinit(&name);
    }
    return out;
}

/* As deep as JSON may be: JSON_MAX_DEPTH. */
struct json *chat_guard_json(const struct chat_guard *g, const struct json *v)
{
    struct str text = STR_INIT;
    struct json *out;

    switch (jv_kind(v)) {
    case JV_STRING:
        chat_guard_text(g, jv_get_string(v, ""), jv_string_len(v), &text);
        out = jv_string_n(str_cstr(&text), text.len);
        str_deinit(&text);
        return out;
    case JV_ARRAY:
        out = jv_array();
        for (size_t i = 0; i < jv_size(v); i++)
            jv_append_adopt(out, chat_guard_json(g, jv_at(v, i)));
        return out;
    case JV_OBJECT:
        return guard_object(g, v);
    case JV_NULL:
    case JV_BOOL:
    case JV_INT:
    case JV_REAL:
        break;
    }
    return jv_deep_copy(v);
}

enum status chat_guard_encode(const struct tokenizer *t, struct tokenizer_scratch *scratch,
                              const char *text, size_t n, struct token_ids *out, struct error *err)
{
    const char *end = text + n;
    bool plain = false;
    enum status st = STATUS_OK;

    while (text < end && !st) {
        const char *mark = memmem(text, (size_t)(end - text), plain ? CLOSE : OPEN, MARK_LEN);
        const char *stop = mark ? mark : end;

        st = tokenizer_encode(t, scratch, text, (size_t)(stop - text), !plain, out, err);
        text = mark ? mark + MARK_LEN : end;
        plain = !plain;
    }
    return st;
}

/* Searches no part of the text twice: it may contain many marked tokens before the match. */
const char *chat_guard_find(const char *text, const char *token, size_t n_token)
{
    const char *end = text + strlen(text);
    const char *at = memmem(text, (size_t)(end - text), token, n_token);

    while (at) {
        const char *open = memmem(text, (size_t)(end - text), OPEN, MARK_LEN);
        const char *close;

        if (!open || at < open)
            return at;
        close = memmem(open, (size_t)(end - open), CLOSE, MARK_LEN);
        if (!close)
            return NULL;
        text = close + MARK_LEN;
        if (at < text)
            at = memmem(text, (size_t)(end - text), token, n_token);
    }
    return NULL;
}
