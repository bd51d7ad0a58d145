/* fixed_options.c - see fixed_options.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/fixed_options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/checkpoint.h"
#include "models/train/checkpoint_folder.h"
#include "runtime/base/memory.h"

#define MAX_SHOWN 4 /* differences in one message */

void fixed_init(struct fixed_options *f)
{
    *f = (struct fixed_options){jv_object(), jv_object(), jv_object()};
}

void fixed_deinit(struct fixed_options *f)
{
    jv_unref(f->values);
    jv_unref(f->words);
    jv_unref(f->names);
    memset(f, 0, sizeof(*f));
}

void fixed_put(struct fixed_options *f, const char *key, const char *words, struct json *adopt)
{
    jv_set_adopt(f->values, key, adopt);
    jv_set_string(f->words, key, words);
}

void fixed_put_named(struct fixed_options *f, const char *key, const char *words, int value,
                     const char *const *names)
{
    struct json *list = jv_array();

    for (; *names; names++)
        jv_append_adopt(list, jv_string(*names));
    fixed_put(f, key, words, jv_int(value));
    jv_set_adopt(f->names, key, list);
}

/* Numbers are compared as numbers: some writers store 1.0 as an integer. */
static bool same_value(const struct json *a, const struct json *b)
{
    if (jv_kind(a) == JV_REAL || jv_kind(b) == JV_REAL)
        return jv_get_number(a, NAN) == jv_get_number(b, NAN);
    return jv_equal(a, b);
}

/* Hashes are shortened. A missing value prints as such. */
static void put_value(const struct json *value, const struct json *names, struct str *out)
{
    const char *text = jv_get_string(value, NULL);
    int64_t number = jv_get_int(value, -1);

    if (names && number >= 0 && (size_t)number < jv_size(names))
        str_puts(out, jv_get_string(jv_at(names, (size_t)number), ""));
    else if (text && strlen(text) == 64)
        str_append(out, text, 12);
    else if (text)
        str_puts(out, text);
    else if (value)
        jv_write(value, 0, out);
    else
        str_puts(out, "unset");
}

enum status fixed_compare(const struct json *was, const struct fixed_options *now, const char *out,
                          struct error *err)
{
    struct str text = STR_INIT;
    struct json *value;
    const char *key;
    int32_t n = 0;
    bool updates = false;

    for (void *it = NULL; (it = jv_next(now->values, it, &key, &value));) {
        const struct json *old = jv_get(was, key), *names = jv_get(now->names, key);

        if (same_value(old, value))
            continue;
        updates = updates || strcmp(key, "updates") == 0;
        if (n++ >= MAX_SHOWN)
            continue;
        str_printf(&text, "%s%s was ", n > 1 ? "; " : "",
                   jv_get_string(jv_get(now->words, key), key));
        put_value(old, names, &text);
        str_puts(&text, " and is now ");
        put_value(value, names, &text);
    }
    if (n > MAX_SHOWN)
        str_printf(&text, "; and %d more differ", n - MAX_SHOWN);
    if (n > 0) {
        (void)error_set(err, STATUS_USAGE, "%s cannot be resumed with other options: %s", out,
                        str_cstr(&text));
        if (updates)
            error_hint(err, "the learning rate follows a schedule over --updates; "
                            "--lr-schedule continue keeps that schedule and runs later updates "
                            "at --lr-min");
        else
            error_hint(err, "leave these options out to resume with those of the folder, or choose "
                            "another folder with --out");
    }
    str_deinit(&text);
    return n > 0 ? STATUS_USAGE : STATUS_OK;
}

enum status fixed_refuse(const char *out, struct error *err)
{
    error_set(err, STATUS_USAGE, "%s already contains a training run", out);
    error_hint(err, "continue it with --resume, or choose another folder");
    return STATUS_USAGE;
}

/* The options in the newest checkpoint: the caller's; NULL without a checkpoint. They are compared
 * with those of a command, so a damaged file must not pass for other options. */
static enum status newest_options(const char *out, struct json **options, struct error *err)
{
    int64_t newest = checkpoint_last(out);
    struct json *doc = NULL;
    enum status st = newest < 0 ? STATUS_OK : checkpoint_state_json(out, newest, &doc, err);

    if (st == STATUS_CORRUPT)
        checkpoint_offer_older(out, newest, err);
    if (!st)
        *options = jv_ref(jv_get(doc, "options"));
    jv_unref(doc);
    return st;
}

enum status fixed_check_newest(const char *out, struct error *err)
{
    struct json *was = NULL;
    enum status st = newest_options(out, &was, err);

    jv_unref(was);
    return st;
}

enum status fixed_compare_newest(const char *out, const struct fixed_options *now,
                                 struct error *err)
{
    struct json *was = NULL;
    enum status st = newest_options(out, &was, err);

    if (!st && was)
        st = fixed_compare(was, now, out, err);
    jv_unref(was);
    return st;
}

char *fixed_recorded(const char *out, const char *key)
{
    struct json *was = NULL;
    struct error ignored = ERROR_INIT;
    const char *text = NULL;
    char *copy;

    if (!newest_options(out, &was, &ignored))
        text = jv_get_string(jv_get(was, key), NULL);
    copy = text ? xstrdup(text) : NULL;
    jv_unref(was);
    return copy;
}

enum status fixed_schedule(const char *out, int64_t *updates, struct error *err)
{
    struct json *was = NULL;
    int64_t schedule = *updates;
    enum status st = newest_options(out, &was, err);

    if (!st)
        schedule = jv_get_int(jv_get(was, "updates"), *updates);
    jv_unref(was);
    if (!st && schedule > *updates)
        st = error_set(err, STATUS_USAGE,
                       "the learning rate of %s has a schedule of %lld updates, but --updates is "
                       "%lld",
                       out, (long long)schedule, (long long)*updates);
    if (!st)
        *updates = schedule;
    return st;
}
