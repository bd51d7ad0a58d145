/* options_value.c - the table, the check of one value, and typed access.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "runtime/base/time_text.h"
#include "runtime/config/options_internal.h"

#define F OPTION_IN_FILE
#define R OPTION_REPEATS
static const struct option_spec specs[OPT_N] = {
#define D(command, id, otherwise, metavar, help)
#define O(id, name, type, otherwise, metavar, min, max, flags, help)                               \
    {name, OPTION_##type, otherwise, metavar, min, max, flags, help},
#include "runtime/config/options.def"
#undef O
#undef D
};
#undef F
#undef R

static const struct {
    const char *command;
    enum option_id id;
    const char *otherwise, *metavar, *help;
} own[] = {
#define O(id, name, type, otherwise, metavar, min, max, flags, help)
#define D(command, id, otherwise, metavar, help) {command, OPT_##id, otherwise, metavar, help},
#include "runtime/config/options.def"
#undef D
#undef O
};

const struct option_spec *option_spec(enum option_id id)
{
    return &specs[id];
}

struct option_spec option_for(const struct command_spec *c, enum option_id id)
{
    struct option_spec s = specs[id];

    for (size_t i = 0; c && i < sizeof(own) / sizeof(own[0]); i++) {
        if (own[i].id != id || strcmp(own[i].command, c->name) != 0)
            continue;
        s.otherwise = own[i].otherwise ? own[i].otherwise : s.otherwise;
        s.metavar = own[i].metavar ? own[i].metavar : s.metavar;
        s.help = own[i].help ? own[i].help : s.help;
    }
    return s;
}

/* Is `word` one of "a|b|c"? */
static bool is_choice(const char *choices, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = choices; at; at = strchr(at, '|')) {
        at += *at == '|';
        if (strncmp(at, word, n) == 0 && (at[n] == '|' || at[n] == 0))
            return true;
    }
    return false;
}

static bool in_range(const struct option_spec *s, double v)
{
    return (s->min == 0 && s->max == 0) || (v >= s->min && v <= s->max);
}

static enum status bad_value(const struct option_spec *s, const char *text, const char *where,
                             const char *expected, struct error *err)
{
    enum status st = error_set(err, STATUS_USAGE, "%s: \"%s\" is not %s", where, text, expected);

    error_hint(err, "--%s: %s", s->name, s->help);
    return st;
}

#define CHOICES_MAX 16

/* Suggests the nearest of "a|b|c". */
static enum status bad_choice(const struct option_spec *s, const char *text, const char *where,
                              struct error *err)
{
    enum status st = bad_value(s, text, where, s->metavar, err);
    char words[300];
    const char *word[CHOICES_MAX], *near;
    size_t n = 0;

    snprintf(words, sizeof(words), "%s", s->metavar);
    for (char *at = words; at && n < CHOICES_MAX; n++) {
        char *bar = strchr(at, '|');
        if (bar)
            *bar++ = 0;
        word[n] = at;
        at = bar;
    }
    near = nearest_word(text, word, n);
    if (near)
        error_hint(err, "did you mean %s? --%s: %s", near, s->name, s->help);
    return st;
}

/* The bounds as people write them: 10000000, not 1e+07; a time with its unit. */
static enum status out_of_range(const struct option_spec *s, const char *text, const char *where,
                                struct error *err)
{
    struct str range = STR_INIT;

    if (s->type == OPTION_DURATION) {
        duration_put(&range, (int64_t)s->min);
        str_puts(&range, " to ");
        duration_put(&range, (int64_t)s->max);
    } else {
        str_printf(&range, "%.15g to %.15g", s->min, s->max);
    }
    (void)error_set(err, STATUS_USAGE, "%s: %s is out of range (%s)", where, text,
                    str_cstr(&range));
    error_hint(err, "--%s: %s", s->name, s->help);
    str_deinit(&range);
    return STATUS_USAGE;
}

static enum status check_number(const struct option_spec *s, struct option_value *v,
                                const char *text, const char *where, struct error *err)
{
    uint64_t bytes;

    switch (s->type) {
    case OPTION_INT:
        if (!text_to_i64(text, &v->i))
            return bad_value(s, text, where, "a whole number", err);
        v->d = (double)v->i;
        break;
    case OPTION_NUMBER:
        if (!text_to_double(text, &v->d) || !isfinite(v->d))
            return bad_value(s, text, where, "a number", err);
        break;
    case OPTION_DURATION:
        if (!text_to_duration_ms(text, &v->i) || v->i < 0)
            return bad_value(s, text, where, "a duration with its unit (ms, s, m, h, d), as in 90s",
                             err);
        v->d = (double)v->i;
        break;
    case OPTION_BYTES:
        if (!text_to_bytes(text, &bytes) || bytes > INT64_MAX)
            return bad_value(s, text, where, "a size (64k, 512M, 2G)", err);
        v->i = (int64_t)bytes;
        v->d = (double)v->i;
        break;
    default:
        if (!text_to_u64(text, &v->u))
            return bad_value(s, text, where, "a whole number from 0 to 2^64-1", err);
        return STATUS_OK;
    }
    return in_range(s, v->d) ? STATUS_OK : out_of_range(s, text, where, err);
}

/* The number at *at in "0,0.5,1"; moves *at to the next. False: not a number. */
static bool next_number(const char **at, double *out)
{
    char word[64];
    size_t n = strcspn(*at, ",");

    if (n >= sizeof(word))
        return false;
    memcpy(word, *at, n);
    word[n] = 0;
    *at += n + ((*at)[n] == ',');
    return text_to_double(word, out) && isfinite(*out);
}

static enum status check_numbers(const struct option_spec *s, struct option_value *v,
                                 const char *text, const char *where, struct error *err)
{
    const char *at = text;
    size_t n = strlen(text);
    char word[32];
    double d;

    for (bool first = true; first || *at; first = false) {
        if (!next_number(&at, &d) || (n > 0 && text[n - 1] == ','))
            return bad_value(s, text, where, "a number or a list such as 0,1", err);
        if (!in_range(s, d)) {
            snprintf(word, sizeof(word), "%.15g", d);
            return out_of_range(s, word, where, err);
        }
        v->d = first ? d : v->d;
    }
    return STATUS_OK;
}

static enum status check_value(const struct option_spec *s, struct option_value *v,
                               const char *text, const char *where, struct error *err)
{
    switch (s->type) {
    case OPTION_FLAG:
        if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0)
            v->i = 1;
        else if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
            v->i = 0;
        else
            return bad_value(s, text, where, "true or false", err);
        return STATUS_OK;
    case OPTION_CHOICE:
        if (!is_choice(s->metavar, text))
            return bad_choice(s, text, where, err);
        return STATUS_OK;
    case OPTION_NUMBERS:
        return check_numbers(s, v, text, where, err);
    case OPTION_TEXT:
    case OPTION_PATH:
        return STATUS_OK;
    default:
        return check_number(s, v, text, where, err);
    }
}

enum status option_take(struct options *o, enum option_id id, const char *text, const char *where,
                        struct error *err)
{
    const struct option_spec s = option_for(o->command, id);
    struct option_value *v = &o->value[id];
    enum status st = check_value(&s, v, text, where, err);

    if (st)
        return st;
    if (v->n > 0 && !(s.flags & OPTION_REPEATS)) {
        free(v->text[0]);
        v->n = 0;
    }
    v->text = xrealloc(v->text, ((size_t)v->n + 1) * sizeof(*v->text));
    v->text[v->n++] = xstrdup(text);
    return STATUS_OK;
}

enum status option_check(enum option_id id, const char *text, struct error *err)
{
    const struct option_spec *s = option_spec(id);
    struct option_value unused = {0};
    char where[80];

    snprintf(where, sizeof(where), "--%s", s->name);
    return check_value(s, &unused, text, where, err);
}

enum status options_defaults(struct options *o, struct error *err)
{
    for (int id = 0; id < OPT_N; id++) {
        const char *text = option_for(o->command, (enum option_id)id).otherwise;
        if (o->value[id].n > 0 || !text)
            continue;
        enum status st = option_take(o, (enum option_id)id, text, "the default", err);
        if (st)
            return st;
    }
    return STATUS_OK;
}

bool option_is_set(const struct options *o, enum option_id id)
{
    return o->value[id].origin != NULL;
}

bool option_flag(const struct options *o, enum option_id id)
{
    return o->value[id].i != 0;
}

int64_t option_int(const struct options *o, enum option_id id)
{
    return o->value[id].i;
}

uint64_t option_seed(const struct options *o, enum option_id id)
{
    return o->value[id].u;
}

double option_number(const struct options *o, enum option_id id)
{
    return o->value[id].d;
}

int32_t option_numbers(const struct options *o, enum option_id id, double *out, int32_t max)
{
    const char *at = option_text(o, id);
    int32_t n = 0;
    double d;

    while (at && *at && next_number(&at, &d)) {
        if (n < max)
            out[n] = d;
        n++;
    }
    return n;
}

enum status option_one(const struct options *o, enum option_id id, struct error *err)
{
    if (option_numbers(o, id, NULL, 0) <= 1)
        return STATUS_OK;
    return error_set(err, STATUS_USAGE, "--%s: this command takes one value, not \"%s\"",
                     specs[id].name, option_text(o, id));
}

const char *option_text(const struct options *o, enum option_id id)
{
    return o->value[id].n > 0 ? o->value[id].text[o->value[id].n - 1] : NULL;
}

int32_t option_count(const struct options *o, enum option_id id)
{
    return o->value[id].n;
}

const char *option_text_at(const struct options *o, enum option_id id, int32_t i)
{
    return i < o->value[id].n ? o->value[id].text[i] : NULL;
}

const char *option_origin(const struct options *o, enum option_id id)
{
    return o->value[id].origin ? o->value[id].origin : "default";
}
