/* mcp_config_edit.c - see mcp_config_edit.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/config/mcp_config_edit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mcp/config/mcp_server_spec.h"
#include "runtime/base/file_open.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"

#define INDENT 2

/* A text with its form without comments: the same offsets. */
struct text {
    const char *bytes; /* as it is in the file */
    char *plain;       /* with comments as blanks; malloc'd */
    size_t n;
};

static void text_deinit(struct text *t)
{
    if (t->plain)
        explicit_bzero(t->plain, t->n);
    free(t->plain);
}

static enum status text_init(struct text *t, const char *bytes, size_t n, struct json **root,
                             struct error *err)
{
    enum status st;

    if (memchr(bytes, '\0', n)) /* in a comment it would pass the parser */
        return error_set(err, STATUS_INVALID, "the file holds a NUL byte");
    *t = (struct text){.bytes = bytes, .plain = xstrndup(bytes, n), .n = n};
    mcp_source_blank_comments(t->plain, n);
    st = jv_parse(t->plain, n, "the file", root, err);
    if (!st && jv_kind(*root) != JV_OBJECT) {
        jv_unref(*root);
        st = error_set(err, STATUS_INVALID, "the file is not a JSON object");
    }
    if (st)
        text_deinit(t);
    return st;
}

/* ---- places */

/* Where a member is: byte offsets of its key, and of the end of its value. */
struct member {
    size_t key, end;
};
/* The members around one: those before and after it in their object. */
struct spot {
    size_t open; /* of the object's brace */
    struct member before, it, after;
    bool has_before, has_it, has_after;
};

/* Without the key: `before` is the last member. */
static struct spot spot_of(const struct text *t, struct json_view object, const char *key)
{
    struct json_walk w = json_walk(object);
    struct spot spot = {.open = (size_t)(object.at - t->plain)};

    while (json_walk_next(&w)) {
        struct member m = {(size_t)(w.key.at - t->plain),
                           (size_t)(w.value.at - t->plain) + w.value.n};

        if (spot.has_it) {
            spot.after = m;
            spot.has_after = true;
            return spot;
        }
        if (json_view_is(w.key, key)) {
            spot.it = m;
            spot.has_it = true;
        } else {
            spot.before = m;
            spot.has_before = true;
        }
    }
    return spot;
}

/* The blanks at the beginning of the line of an offset. */
static size_t indent_of(const struct text *t, size_t at)
{
    size_t from = at, n = 0;

    while (from > 0 && t->bytes[from - 1] != '\n')
        from--;
    while (from + n < at && (t->bytes[from + n] == ' ' || t->bytes[from + n] == '\t'))
        n++;
    return n;
}

/* The same bytes (tabs stay tabs), then `more` blanks. */
static void put_indent(struct str *out, const struct text *t, size_t at, int more)
{
    size_t from = at;

    while (from > 0 && t->bytes[from - 1] != '\n')
        from--;
    str_append(out, t->bytes + from, indent_of(t, at));
    for (int i = 0; i < more; i++)
        str_putc(out, ' ');
}

/* ---- members */

/* "key": value, its later lines indented like the line of `at`, and `more`. */
static void put_member(struct str *out, const struct text *t, size_t at, int more, const char *key,
                       const struct json *value)
{
    struct str text = STR_INIT;

    jv_write(value, INDENT, &text);
    str_put_json_string(out, key, strlen(key));
    str_puts(out, ": ");
    for (const char *c = str_cstr(&text); *c; c++) {
        str_putc(out, *c);
        if (*c == '\n')
            put_indent(out, t, at, more);
    }
    if (text.data)
        explicit_bzero(text.data, text.len);
    str_deinit(&text);
}

static void put_range(struct str *out, const struct text *t, size_t from, size_t to)
{
    str_append(out, t->bytes + from, to - from);
}

static void insert(const struct text *t, const struct spot *spot, const char *key,
                   const struct json *value, struct str *out)
{
    size_t end;

    if (spot->has_it) { /* another value */
        put_range(out, t, 0, spot->it.key);
        put_member(out, t, spot->it.key, 0, key, value);
        put_range(out, t, spot->it.end, t->n);
    } else if (spot->has_before) {
        put_range(out, t, 0, spot->before.end);
        str_puts(out, ",\n");
        put_indent(out, t, spot->before.key, 0);
        put_member(out, t, spot->before.key, 0, key, value);
        put_range(out, t, spot->before.end, t->n);
    } else { /* the first one: the object is empty but for comments */
        end = spot->open + 1;
        put_range(out, t, 0, end);
        str_putc(out, '\n');
        put_indent(out, t, spot->open, INDENT);
        put_member(out, t, spot->open, INDENT, key, value);
        if (strcspn(t->bytes + end, "\n") > strspn(t->bytes + end, " \t\r")) {
            str_putc(out, '\n'); /* the brace that closes it is on the same line */
            put_indent(out, t, spot->open, 0);
            end += strspn(t->bytes + end, " \t");
        }
        put_range(out, t, end, t->n);
    }
}

static size_t blanks_before(const struct text *t, size_t at)
{
    size_t n = 0;

    while (n < at && strchr(" \t\r\n", t->bytes[at - n - 1]))
        n++;
    return n;
}

static char next_byte(const struct text *t, size_t at)
{
    return t->bytes[at + strspn(t->bytes + at, " \t\r\n")];
}

static void cut(const struct text *t, const struct spot *spot, struct str *out)
{
    size_t from = spot->it.key, to = spot->it.end;

    if (spot->has_after) {
        to = spot->after.key;
    } else if (spot->has_before) {
        from = spot->before.end;
    } else { /* the only one: with the line it is on, and the comma that JSON with comments allows
              */
        from -= blanks_before(t, from);
        to += strspn(t->bytes + to, " \t\r\n") * (next_byte(t, to) == ',');
        to += t->bytes[to] == ',';
    }
    put_range(out, t, 0, from);
    put_range(out, t, to, t->n);
}

/* What the new text must mean. */
static void change_tree(struct json *root, const char *list, const char *key,
                        const struct json *value)
{
    struct json *at = root;

    if (list) {
        at = jv_get(root, list);
        if (!at) {
            jv_set_adopt(root, list, jv_object());
            at = jv_get(root, list);
        }
    }
    if (value)
        jv_set_adopt(at, key, jv_deep_copy(value));
    else
        jv_remove(at, key);
}

static enum status check_result(const struct str *made, const struct json *expected,
                                struct error *err)
{
    struct text again;
    struct json *root = NULL;
    enum status st;

    if (!str_ok(made))
        return error_set(err, STATUS_NO_MEMORY, "no memory for the file");
    st = text_init(&again, str_cstr(made), made->len, &root, err);
    if (st)
        return st;
    if (!jv_equal(root, expected))
        st = error_set(err, STATUS_FAILED,
                       "the edited text would not mean what it should; edit "
                       "the file by hand");
    jv_unref(root);
    text_deinit(&again);
    return st;
}

/* value NULL: removes the key. */
static void edit(const struct text *t, const char *list, const char *key, const struct json *value,
                 struct str *made)
{
    struct json_view top = json_view_of(t->plain, t->n);
    struct json_view object = list ? json_view_get(top, list) : top;
    struct json *wrapped;
    struct spot spot;

    if (object.at) {
        spot = spot_of(t, object, key);
        if (value)
            insert(t, &spot, key, value, made);
        else
            cut(t, &spot, made);
        return;
    }
    spot = spot_of(t, top, list);
    wrapped = jv_object();
    jv_set_adopt(wrapped, key, jv_deep_copy(value));
    insert(t, &spot, list, wrapped, made);
    jv_unref(wrapped);
}

enum status mcp_edit_text(const char *bytes, size_t n, const char *list, const char *key,
                          const struct json *value, struct str *out, struct error *err)
{
    struct text t;
    struct json *root = NULL;
    struct str made = STR_INIT;
    enum status st = text_init(&t, bytes, n, &root, err);

    if (st)
        return st;
    if (list && jv_get(root, list) && jv_kind(jv_get(root, list)) != JV_OBJECT)
        st = error_set(err, STATUS_INVALID, "`%s` is not an object", list);
    if (!st) {
        edit(&t, list, key, value, &made);
        change_tree(root, list, key, value);
        st = check_result(&made, root, err);
    }
    if (!st)
        str_append(out, str_cstr(&made), made.len);
    if (made.data)
        explicit_bzero(made.data, made.len);
    str_deinit(&made);
    jv_unref(root);
    text_deinit(&t);
    return st;
}

/* ---- files */

/* A file that is edited; its text, and the member with the servers. */
struct open_file {
    struct mcp_source *source; /* NULL: there is none yet */
    struct str text;
    const char *list;
};

static enum status read_text(const char *path, struct str *out, struct error *err)
{
    char *bytes = NULL;
    size_t n = 0;
    enum status st = file_read(path, JSON_MAX_BYTES, &bytes, &n, err);

    if (!st)
        str_append(out, bytes, n);
    free(bytes);
    return st;
}

/* Servers are in `mcpServers`, unless the file has only `servers`, as VS Code's. */
static enum status open_edited(const char *path, struct open_file *f, struct error *err)
{
    enum status st = mcp_source_open_json(path, NULL, &f->source, err);

    f->list = "mcpServers";
    if (st == STATUS_NOT_FOUND) {
        str_puts(&f->text, "{}\n");
        return STATUS_OK;
    }
    if (st)
        return st;
    if (!jv_get(f->source->root, "mcpServers") && jv_get(f->source->root, "servers"))
        f->list = "servers";
    return read_text(path, &f->text, err);
}

static void close_edited(struct open_file *f)
{
    mcp_source_free(f->source);
    if (f->text.data)
        explicit_bzero(f->text.data, f->text.len);
    str_deinit(&f->text);
}

static enum status change(struct open_file *f, const char *list, const char *key,
                          const struct json *value, struct error *err)
{
    struct str next = STR_INIT;
    enum status st = mcp_edit_text(str_cstr(&f->text), f->text.len, list, key, value, &next, err);

    if (st) {
        str_deinit(&next);
        return st;
    }
    explicit_bzero(f->text.data, f->text.len);
    str_deinit(&f->text);
    f->text = next;
    return STATUS_OK;
}

/* A new file exists, empty and private, before its text is written: that keeps its mode. */
static enum status write_edited(const struct seams *seams, const char *path,
                                const struct open_file *f, struct error *err)
{
    enum status st = STATUS_OK;
    int fd = -1;

    if (!f->source) {
        st = file_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, NULL, err);
        if (!st)
            close(fd);
    }
    return st ? st : file_write_atomic(seams, path, str_cstr(&f->text), f->text.len, err);
}

static const struct json *servers_of(const struct open_file *f)
{
    return f->source ? jv_get(f->source->root, f->list) : NULL;
}

enum status mcp_edit_add(const struct seams *seams, const char *path, const char *name,
                         const struct json *entry, bool replace, struct error *err)
{
    struct open_file f = {.text = STR_INIT};
    enum status st = open_edited(path, &f, err);

    if (!st && !*name)
        st = error_set(err, STATUS_USAGE, "the name of a server is empty");
    if (!st && mcp_server_name_is_own(name))
        st = error_set(err, STATUS_USAGE,
                       "%s is the name of Troupe's own tools; choose another one", name);
    if (!st && !replace && jv_get(servers_of(&f), name)) {
        st = error_at(err, STATUS_INVALID, path, 0, 0, "server %.60s is there already", name);
        error_hint(err, "remove it first, or choose another name");
    }
    if (!st)
        st = change(&f, f.list, name, entry, err);
    if (!st)
        st = write_edited(seams, path, &f, err);
    close_edited(&f);
    return st;
}

static enum status no_such_server(const struct open_file *f, const char *path, const char *name,
                                  struct error *err)
{
    const char *names[256], *near;
    size_t n = 0;

    for (void *it = NULL;
         n < ARRAY_LEN(names) && (it = jv_next(servers_of(f), it, &names[n], NULL));)
        n++;
    near = nearest_word(name, names, n);
    return error_at(err, STATUS_NOT_FOUND, path, 0, 0, "no server %.60s in this file%s%.60s%s",
                    name, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

enum status mcp_edit_remove(const struct seams *seams, const char *path, const char *name,
                            struct error *err)
{
    struct open_file f = {.text = STR_INIT};
    enum status st = open_edited(path, &f, err);

    if (!st && !jv_get(servers_of(&f), name))
        st = no_such_server(&f, path, name, err);
    if (!st)
        st = change(&f, f.list, name, NULL, err);
    if (!st)
        st = write_edited(seams, path, &f, err);
    close_edited(&f);
    return st;
}

/* ---- import */

/* The inputs of both files; those of `from` whose id is there already are left out. */
static enum status import_inputs(struct open_file *f, const struct json *from, struct error *err)
{
    const struct json *mine = f->source ? jv_get(f->source->root, "inputs") : NULL;
    struct json *all = jv_kind(mine) == JV_ARRAY ? jv_deep_copy(mine) : jv_array();
    size_t had = jv_size(all);
    enum status st = STATUS_OK;

    for (size_t i = 0; jv_kind(from) == JV_ARRAY && i < jv_size(from); i++) {
        const char *id = jv_get_string(jv_get(jv_at(from, i), "id"), "");
        bool there = false;

        for (size_t k = 0; k < had; k++)
            there = there || strcmp(jv_get_string(jv_get(jv_at(all, k), "id"), ""), id) == 0;
        if (!there)
            jv_append_adopt(all, jv_deep_copy(jv_at(from, i)));
    }
    if (jv_size(all) > had)
        st = change(f, NULL, "inputs", all, err);
    jv_unref(all);
    return st;
}

static const struct json *find_servers(const struct json *root, const struct json **inputs)
{
    const struct json *inner = jv_get(root, "mcp"), *list = jv_get(root, "mcpServers");

    if (!list && jv_kind(inner) == JV_OBJECT && jv_get(inner, "servers"))
        root = inner;
    *inputs = jv_get(root, "inputs");
    if (!list)
        list = jv_get(root, "servers");
    return jv_kind(list) == JV_OBJECT ? list : NULL;
}

enum status mcp_edit_import(const struct seams *seams, const char *path, const char *from,
                            struct json **added, struct json **kept, struct error *err)
{
    struct open_file f = {.text = STR_INIT};
    struct mcp_source *other = NULL;
    struct json *new_names = jv_array(), *old_names = jv_array(), *value;
    const struct json *list = NULL, *inputs = NULL;
    const char *name;
    enum status st = mcp_source_open_json(from, NULL, &other, err);

    if (!st)
        st = open_edited(path, &f, err);
    if (!st && !(list = find_servers(other->root, &inputs)))
        st = error_at(err, STATUS_CONFIG, from, 0, 0,
                      "the file has neither `mcpServers` nor `servers`");
    for (void *it = NULL; !st && (it = jv_next(list, it, &name, &value));) {
        bool there = jv_get(servers_of(&f), name) != NULL;

        jv_append_adopt(there ? old_names : new_names, jv_string(name));
        if (!there)
            st = change(&f, f.list, name, value, err);
    }
    if (!st && jv_size(new_names) > 0)
        st = import_inputs(&f, inputs, err);
    if (!st && jv_size(new_names) > 0)
        st = write_edited(seams, path, &f, err);
    if (!st && added)
        *added = jv_ref(new_names);
    if (!st && kept)
        *kept = jv_ref(old_names);
    jv_unref(new_names);
    jv_unref(old_names);
    mcp_source_free(other);
    close_edited(&f);
    return st;
}
