/* script_file.c - strict reading: errors name the file and the entry.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/script/script_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/script/path_match.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"

#define DELAY_MAX_MS 600000

/* STATUS_CONFIG at FILE; the message names the entry. */
static enum status wrong(struct error *err, const char *file, const char *entry, const char *fmt,
                         ...) PRINTF_LIKE(4, 5);
static enum status wrong(struct error *err, const char *file, const char *entry, const char *fmt,
                         ...)
{
    struct str text = STR_INIT;
    va_list ap;
    enum status st;

    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    st = error_at(err, STATUS_CONFIG, file, 0, 0, "%s: %s", entry, str_cstr(&text));
    str_deinit(&text);
    return st;
}

static enum status check_keys(const struct json *object, const char *const *allowed, size_t n,
                              const char *file, const char *entry, struct error *err)
{
    const char *key;
    struct json *value;

    for (void *it = NULL; (it = jv_next(object, it, &key, &value));) {
        bool known = false;

        for (size_t i = 0; i < n; i++)
            known = known || !strcmp(key, allowed[i]);
        if (!known) {
            const char *near = nearest_word(key, allowed, n);

            wrong(err, file, entry, "unknown key \"%s\"", key);
            if (near)
                error_hint(err, "did you mean \"%s\"?", near);
            return STATUS_CONFIG;
        }
    }
    return STATUS_OK;
}

static enum status string_of(const struct json *object, const char *key, const char **out,
                             const char *file, const char *entry, struct error *err)
{
    const struct json *v = jv_get(object, key);

    *out = jv_get_string(v, NULL);
    if (v && !*out)
        return wrong(err, file, entry, "\"%s\" must be a string", key);
    return STATUS_OK;
}

static enum status check_tool_calls(const struct json *calls, const char *file, const char *entry,
                                    struct error *err)
{
    static const char *const keys[] = {"name", "arguments"};
    char at[96];
    enum status st;

    if (jv_kind(calls) != JV_ARRAY)
        return wrong(err, file, entry, "\"tool_calls\" must be an array");
    for (size_t i = 0; i < jv_size(calls); i++) {
        const struct json *call = jv_at(calls, i);

        snprintf(at, sizeof(at), "%.40s.tool_calls[%zu]", entry, i);
        if (jv_kind(call) != JV_OBJECT)
            return wrong(err, file, at, "must be an object");
        st = check_keys(call, keys, ARRAY_LEN(keys), file, at, err);
        if (st)
            return st;
        if (!jv_get_string(jv_get(call, "name"), NULL))
            return wrong(err, file, at, "\"name\" must be a string");
        if (jv_kind(jv_get(call, "arguments")) != JV_OBJECT)
            return wrong(err, file, at, "\"arguments\" must be an object");
    }
    return STATUS_OK;
}

static enum status delay_of(const struct json *object, int64_t otherwise, int64_t *out,
                            const char *file, const char *entry, struct error *err)
{
    const struct json *v = jv_get(object, "delay_ms");

    *out = v ? jv_get_int(v, -1) : otherwise;
    if (*out < 0 || *out > DELAY_MAX_MS)
        return wrong(err, file, entry, "\"delay_ms\" must be an integer from 0 to %d",
                     DELAY_MAX_MS);
    return STATUS_OK;
}

static enum status finish_of(const struct json *object, bool *cut, const char *file,
                             const char *entry, struct error *err)
{
    const char *word = NULL;
    enum status st = string_of(object, "finish", &word, file, entry, err);

    *cut = word && strcmp(word, "length") == 0;
    if (!st && word && !*cut && strcmp(word, "stop") != 0)
        st = wrong(err, file, entry, "\"finish\" must be \"stop\" or \"length\"");
    return st;
}

static enum status read_reply(struct script_file *f, const struct json *v, bool has_path,
                              struct script_reply *r, const char *file, const char *entry,
                              struct error *err)
{
    static const char *const keys[] = {"text", "tool_calls", "error", "finish", "delay_ms", "path"};
    enum status st;

    if (jv_kind(v) != JV_OBJECT)
        return wrong(err, file, entry, "must be an object");
    st = check_keys(v, keys, ARRAY_LEN(keys) - !has_path, file, entry, err);
    if (!st && has_path)
        st = string_of(v, "path", &r->path, file, entry, err);
    if (!st)
        st = string_of(v, "text", &r->text, file, entry, err);
    if (!st)
        st = string_of(v, "error", &r->error, file, entry, err);
    if (!st)
        st = finish_of(v, &r->cut, file, entry, err);
    if (!st)
        st = delay_of(v, f->delay_ms, &r->delay_ms, file, entry, err);
    f->has_delay |= r->delay_ms > 0;
    r->tool_calls = jv_get(v, "tool_calls");
    if (!st && r->tool_calls)
        st = check_tool_calls(r->tool_calls, file, entry, err);
    if (st)
        return st;
    if (has_path && !r->path)
        return wrong(err, file, entry, "\"path\" is missing");
    if (r->error && (r->text || r->tool_calls))
        return wrong(err, file, entry, "has both an error and a reply");
    if (!r->error && !r->text && !r->tool_calls)
        return wrong(err, file, entry, "needs \"text\", \"tool_calls\" or \"error\"");
    return STATUS_OK;
}

static enum status read_root(struct script_file *f, const char *file, struct error *err)
{
    static const char *const keys[] = {"model", "replies", "default", "delay_ms"};
    const struct json *replies = jv_get(f->root, "replies");
    const struct json *otherwise = jv_get(f->root, "default");
    char entry[32];
    enum status st;

    if (jv_kind(f->root) != JV_OBJECT)
        return wrong(err, file, "script", "must be an object");
    st = check_keys(f->root, keys, ARRAY_LEN(keys), file, "script", err);
    if (st)
        return st;
    if (strcmp(jv_get_string(jv_get(f->root, "model"), ""), "script") != 0)
        return wrong(err, file, "model", "must be \"script\"");
    if (jv_kind(replies) != JV_ARRAY)
        return wrong(err, file, "replies", "must be an array");
    st = delay_of(f->root, 0, &f->delay_ms, file, "script", err);
    if (st)
        return st;
    f->reply = mem_alloc(jv_size(replies), sizeof(*f->reply));
    if (!f->reply)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %zu replies", jv_size(replies));
    for (; (size_t)f->n < jv_size(replies) && !st; f->n++) {
        snprintf(entry, sizeof(entry), "replies[%d]", (int)f->n);
        st = read_reply(f, jv_at(replies, (size_t)f->n), true, &f->reply[f->n], file, entry, err);
    }
    f->has_default = otherwise != NULL;
    if (!st && otherwise)
        st = read_reply(f, otherwise, false, &f->otherwise, file, "default", err);
    return st;
}

enum status script_file_load(const char *path, struct script_file *out, struct error *err)
{
    struct script_file f = {0};
    char *text;
    size_t n;
    enum status st = file_read(path, JSON_MAX_BYTES, &text, &n, err);

    if (st)
        return st;
    f.hash = sha256_of(text, n);
    st = error_as_config(jv_parse(text, n, path, &f.root, err), err);
    free(text);
    if (!st)
        st = read_root(&f, path, err);
    if (st) {
        script_file_deinit(&f);
        return st;
    }
    *out = f;
    return STATUS_OK;
}

void script_file_deinit(struct script_file *f)
{
    free(f->reply);
    jv_unref(f->root);
    f->reply = NULL;
    f->root = NULL;
}

const struct script_reply *script_file_find(const struct script_file *f, const char *path)
{
    for (int32_t i = 0; i < f->n; i++)
        if (path_match(f->reply[i].path, path))
            return &f->reply[i];
    return f->has_default ? &f->otherwise : NULL;
}
