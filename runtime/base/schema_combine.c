/* schema_combine.c - the keywords that combine schemas, and references within the document.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/schema_walk.h"

#define SHOWN 3 /* alternatives whose complaints a message repeats */

/* One alternative on trial: its complaint goes to `scratch`, a limit to the caller's error. */
static enum status try_one(struct schema_walk *w, const struct json *schema,
                           const struct schema_case *c, struct error *scratch)
{
    struct error *err = w->err;
    enum status st;

    error_clear(scratch);
    w->err = scratch;
    st = schema_check_at(w, schema, c->value, c->at);
    w->err = err;
    if (st && st != STATUS_INVALID && err)
        *err = *scratch;
    return st;
}

/* Counts the alternatives that fit, and collects why the others do not. */
static enum status try_all(struct schema_walk *w, const struct schema_case *c, size_t *fits,
                           struct str *complaints)
{
    struct error *scratch = xcalloc(1, sizeof(*scratch)); /* too large for a deep stack */
    size_t n = jv_size(c->argument);
    enum status st = STATUS_OK;

    *fits = 0;
    for (size_t i = 0; i < n; i++) {
        st = try_one(w, jv_at(c->argument, i), c, scratch);
        if (st == STATUS_OK)
            ++*fits;
        else if (st != STATUS_INVALID)
            break;
        else if (i < SHOWN)
            str_printf(complaints, "%s(%zu) %s: %.160s", i ? "; " : "", i + 1, scratch->where,
                       scratch->message);
        st = STATUS_OK;
    }
    if (n > SHOWN)
        str_puts(complaints, "; ...");
    free(scratch);
    return st;
}

/* At least one of the forms fits; with `one`, not two. */
static enum status check_forms(struct schema_walk *w, const struct schema_case *c, bool one)
{
    struct str complaints = STR_INIT;
    size_t fits;
    enum status st = try_all(w, c, &fits, &complaints);

    if (!st && fits == 0)
        st = schema_misfit(w, c->at, "fits none of %zu forms: %s", jv_size(c->argument),
                           str_cstr(&complaints));
    else if (!st && one && fits > 1)
        st = schema_misfit(w, c->at, "expected exactly one of %zu forms, but %zu fit",
                           jv_size(c->argument), fits);
    str_deinit(&complaints);
    return st;
}

enum status schema_check_any_of(struct schema_walk *w, const struct schema_case *c)
{
    return check_forms(w, c, false);
}

enum status schema_check_one_of(struct schema_walk *w, const struct schema_case *c)
{
    return check_forms(w, c, true);
}

enum status schema_check_all_of(struct schema_walk *w, const struct schema_case *c)
{
    enum status st = STATUS_OK;

    for (size_t i = 0; !st && i < jv_size(c->argument); i++)
        st = schema_check_at(w, jv_at(c->argument, i), c->value, c->at);
    return st;
}

enum status schema_check_not(struct schema_walk *w, const struct schema_case *c)
{
    struct error *scratch = xcalloc(1, sizeof(*scratch));
    char got[SCHEMA_WORDS];
    enum status st = try_one(w, c->argument, c, scratch);

    free(scratch);
    if (st == STATUS_INVALID)
        return STATUS_OK;
    if (st)
        return st;
    return schema_misfit(w, c->at, "%s has a form that is excluded here",
                         schema_describe(c->value, got));
}

/* One word of a JSON pointer (RFC 6901) with ~0 and ~1 undone; false: it is too long to be ours. */
static bool pointer_word(const char **at, char *word, size_t size)
{
    size_t n = 0;

    for (; **at && **at != '/'; ++*at) {
        char ch = **at;

        if (ch == '~' && ((*at)[1] == '0' || (*at)[1] == '1'))
            ch = *++*at == '0' ? '~' : '/';
        if (n + 1 >= size)
            return false;
        word[n++] = ch;
    }
    word[n] = '\0';
    return true;
}

const struct json *schema_resolve(const struct json *root, const char *ref)
{
    const struct json *v = root;
    char word[256];

    /* Only within this document: "#", or "#/" and a pointer. Escapes of URIs are not read. */
    if (*ref++ != '#' || (*ref && *ref != '/') || strchr(ref, '%'))
        return NULL;
    while (v && *ref == '/') {
        ref++;
        if (!pointer_word(&ref, word, sizeof(word)))
            return NULL;
        if (jv_kind(v) == JV_ARRAY)
            v = word[0] >= '0' && word[0] <= '9' ? jv_at(v, strtoul(word, NULL, 10)) : NULL;
        else
            v = jv_get(v, word);
    }
    return v;
}

enum status schema_check_ref(struct schema_walk *w, const struct schema_case *c)
{
    const struct json *schema = schema_resolve(w->root, jv_get_string(c->argument, ""));

    if (!schema)
        return error_set(w->err, STATUS_LIMIT, "the schema refers to \"%.80s\", which is not there",
                         jv_get_string(c->argument, ""));
    return schema_check_at(w, schema, c->value, c->at);
}
