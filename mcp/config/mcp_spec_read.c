/* mcp_spec_read.c - see mcp_spec_read.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/config/mcp_spec_read.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mcp/config/mcp_expand.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"

struct reader {
    struct mcp_server_spec *spec;
    struct mcp_scope scope;
    struct mcp_notes *notes;
    const char *type;    /* as it is written, or NULL */
    bool url_is_http;    /* by httpUrl */
    bool is_over;        /* settings alone */
    struct mcp_node url; /* for its place */
};

typedef enum status (*read_fn)(struct reader *r, const struct mcp_node *v, struct error *err);

static enum status wrong_kind(const struct mcp_node *v, const char *expected, struct error *err)
{
    return mcp_fault(err, v, "expected %s, got %s", expected, jv_kind_name(jv_kind(v->value)));
}

/* The key of a value, for an error about it. */
static struct mcp_node key_of(const struct mcp_node *v)
{
    struct mcp_node key = *v;

    key.text = v->key_text;
    key.yaml = v->yaml_key;
    return key;
}

/* ---- values */

/* A text whose references can be resolved. A number or a boolean counts as its text. */
static enum status take_text(struct reader *r, const struct mcp_node *v, bool lenient, char **out,
                             struct error *err)
{
    enum jv_kind kind = jv_kind(v->value);
    struct error why = ERROR_INIT;
    char *text;
    enum status st;

    if (kind == JV_STRING)
        text = xstrdup(jv_get_string(v->value, ""));
    else if (lenient && (kind == JV_INT || kind == JV_REAL || kind == JV_BOOL))
        text = jv_dump(v->value);
    else
        return wrong_kind(v, "a text", err);
    free(*out);
    *out = text; /* also with a fault: what a person approves is the whole definition */
    st = mcp_expand_check(text, &r->scope, &why);
    if (!st)
        return STATUS_OK;
    st = mcp_fault(err, v, "%s", why.message);
    if (why.hint[0])
        error_hint(err, "%s", why.hint);
    return st;
}

static enum status take_texts(struct reader *r, const struct mcp_node *v, struct mcp_texts *out,
                              struct error *err)
{
    struct mcp_node_walk w = mcp_node_walk_of(v);
    struct mcp_node item;
    enum status st = STATUS_OK;

    if (jv_kind(v->value) != JV_ARRAY)
        return wrong_kind(v, "a list of texts", err);
    mcp_texts_deinit(out);
    while (mcp_node_next(&w, &item)) {
        char *text = NULL;
        enum status one = take_text(r, &item, true, &text, st ? NULL : err);

        if (text)
            mcp_texts_add(out, text);
        free(text);
        st = st ? st : one;
    }
    return st;
}

static enum status take_bool(const struct mcp_node *v, bool *out, struct error *err)
{
    if (jv_kind(v->value) != JV_BOOL)
        return wrong_kind(v, "true or false", err);
    *out = jv_get_bool(v->value, false);
    return STATUS_OK;
}

static enum status take_word(const struct mcp_node *v, const char *const *words, size_t n, int *out,
                             struct error *err)
{
    const char *text = jv_get_string(v->value, NULL);
    struct str list = STR_INIT;
    enum status st;

    for (size_t i = 0; text && i < n; i++) {
        if (strcmp(words[i], text) == 0) {
            *out = (int)i;
            return STATUS_OK;
        }
    }
    for (size_t i = 0; i < n; i++)
        str_printf(&list, "%s%s", i == 0 ? "" : i + 1 == n ? " or " : ", ", words[i]);
    st = mcp_fault(err, v, "expected %s", str_cstr(&list));
    str_deinit(&list);
    return st;
}

/* A text with a unit. Hosts differ in what a number means (Cline: seconds, Gemini CLI:
 * milliseconds): below 1000 it is seconds, since nobody gives a server less than a second. */
static enum status take_duration(struct reader *r, const struct mcp_node *v, int64_t *out,
                                 struct error *err)
{
    double number = jv_get_number(v->value, -1);
    const char *text = jv_get_string(v->value, NULL);

    if (text && text_to_duration_ms(text, out))
        return STATUS_OK;
    if (text || v->yaml || !(number > 0) || number > 1e12)
        return mcp_fault(err, v, "expected a time with its unit, such as 90s");
    if (number >= 1000 && number < 10000)
        mcp_note_at(r->notes, MCP_CONFIG_WARNING, v, false,
                    "%.0f is taken as milliseconds; write \"%.0fs\" if it is seconds", number,
                    number);
    *out = (int64_t)(number < 1000 ? number * 1000 : number);
    return STATUS_OK;
}

/* RFC 9110, 5.6.2 */
static bool is_token(const char *name)
{
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("!#$%&'*+-.^_`|~", *c))
            return false;
    return *name != '\0';
}

/* Field names have no case (RFC 9110, 5.1). */
static bool has_header(const struct mcp_pair *pairs, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(pairs[i].name, name) == 0)
            return true;
    return false;
}

static bool is_variable_name(const char *name)
{
    return *name && !strchr(name, '=');
}

static enum status take_pairs(struct reader *r, const struct mcp_node *v, bool of_headers,
                              struct mcp_pair **out, size_t *n, struct error *err)
{
    struct mcp_node_walk w = mcp_node_walk_of(v);
    struct mcp_node item;
    enum status st = STATUS_OK;

    if (jv_kind(v->value) != JV_OBJECT)
        return wrong_kind(v, "names with texts", err);
    while (mcp_node_next(&w, &item)) {
        struct mcp_node key = key_of(&item);
        char *text = NULL;
        enum status one;

        if (of_headers ? !is_token(item.key) : !is_variable_name(item.key))
            return mcp_fault(
                err, &key, "%s is not valid",
                of_headers ? "the name of this header field" : "the name of this variable");
        if (of_headers && has_header(*out, *n, item.key))
            return mcp_fault(err, &key, "this header field is given twice");
        if (!of_headers && jv_kind(item.value) == JV_NULL) {
            mcp_pairs_add(out, n, item.key, NULL);
            continue;
        }
        one = take_text(r, &item, true, &text, st ? NULL : err);
        if (text)
            mcp_pairs_add(out, n, item.key, text);
        free(text);
        st = st ? st : one;
    }
    return st;
}

/* ---- fields that say how to reach it */

static enum status read_type(struct reader *r, const struct mcp_node *v, struct error *err)
{
    static const struct {
        const char *word;
        enum mcp_server_transport transport;
    } words[] = {{"stdio", MCP_STDIO},
                 {"http", MCP_HTTP},
                 {"sse", MCP_SSE},
                 {"local", MCP_STDIO},
                 {"streamable-http", MCP_HTTP},
                 {"streamableHttp", MCP_HTTP},
                 {"streamable_http", MCP_HTTP}};
    const char *text = jv_get_string(v->value, "");

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(words[i].word, text) == 0) {
            r->spec->transport = words[i].transport;
            r->type = mcp_server_transport_words[words[i].transport];
            return STATUS_OK;
        }
    }
    return mcp_fault(err, v, "expected stdio, http or sse");
}

static enum status read_command(struct reader *r, const struct mcp_node *v, struct error *err)
{
    if (jv_kind(v->value) == JV_STRING && jv_string_len(v->value) == 0)
        return mcp_fault(err, v, "the command is empty");
    return take_text(r, v, false, &r->spec->command, err);
}

static enum status read_args(struct reader *r, const struct mcp_node *v, struct error *err)
{
    return take_texts(r, v, &r->spec->args, err);
}

static enum status read_env(struct reader *r, const struct mcp_node *v, struct error *err)
{
    return take_pairs(r, v, false, &r->spec->env, &r->spec->n_env, err);
}

static enum status read_headers(struct reader *r, const struct mcp_node *v, struct error *err)
{
    return take_pairs(r, v, true, &r->spec->headers, &r->spec->n_headers, err);
}

static enum status read_env_file(struct reader *r, const struct mcp_node *v, struct error *err)
{
    return take_text(r, v, false, &r->spec->env_file, err);
}

static enum status read_cwd(struct reader *r, const struct mcp_node *v, struct error *err)
{
    return take_text(r, v, false, &r->spec->cwd, err);
}

static enum status read_url(struct reader *r, const struct mcp_node *v, struct error *err)
{
    if (r->url_is_http) /* Gemini CLI: httpUrl counts more than url */
        return STATUS_OK;
    r->url = *v;
    return take_text(r, v, false, &r->spec->url, err);
}

static enum status read_http_url(struct reader *r, const struct mcp_node *v, struct error *err)
{
    r->url_is_http = false;
    enum status st = read_url(r, v, err);
    r->url_is_http = true;
    return st;
}

static enum status read_nothing(struct reader *r, const struct mcp_node *v, struct error *err)
{
    (void)err;
    mcp_note_at(r->notes, MCP_CONFIG_NOTE, v, true,
                "%s has no effect here: Troupe asks by its own rules, whatever a file of another "
                "host allows",
                v->key);
    return STATUS_OK;
}

static enum status read_description(struct reader *r, const struct mcp_node *v, struct error *err)
{
    (void)r, (void)v, (void)err;
    return STATUS_OK;
}

/* ---- settings */

static enum status read_disabled(struct reader *r, const struct mcp_node *v, struct error *err)
{
    bool disabled = false;
    enum status st = take_bool(v, &disabled, err);

    if (!st)
        r->spec->settings.enabled = !disabled;
    return st;
}

static enum status read_enabled(struct reader *r, const struct mcp_node *v, struct error *err)
{
    return take_bool(v, &r->spec->settings.enabled, err);
}

static enum status read_timeout(struct reader *r, const struct mcp_node *v, struct error *err)
{
    return take_duration(r, v, &r->spec->settings.timeout_ms, err);
}

static enum status read_total_timeout(struct reader *r, const struct mcp_node *v, struct error *err)
{
    return take_duration(r, v, &r->spec->settings.total_timeout_ms, err);
}

static enum status read_start_timeout(struct reader *r, const struct mcp_node *v, struct error *err)
{
    return take_duration(r, v, &r->spec->settings.start_timeout_ms, err);
}

static enum status read_idle_shutdown(struct reader *r, const struct mcp_node *v, struct error *err)
{
    return take_duration(r, v, &r->spec->settings.idle_shutdown_ms, err);
}

static enum status read_max_in_flight(struct reader *r, const struct mcp_node *v, struct error *err)
{
    int64_t n = jv_get_int(v->value, 0);

    if (n < 1 || n > 10000)
        return mcp_fault(err, v, "expected a number of requests, 1 to 10000");
    r->spec->settings.max_in_flight = (int32_t)n;
    return STATUS_OK;
}

static enum status read_include(struct reader *r, const struct mcp_node *v, struct error *err)
{
    return take_texts(r, v, &r->spec->settings.include, err);
}

/* Adds: two hosts' keys may both be there, and neither makes the other's list shorter. */
static enum status read_exclude(struct reader *r, const struct mcp_node *v, struct error *err)
{
    struct mcp_texts more = {0};
    enum status st = take_texts(r, v, &more, err);

    for (size_t i = 0; !st && i < more.n; i++)
        mcp_texts_add(&r->spec->settings.exclude, more.text[i]);
    mcp_texts_deinit(&more);
    return st;
}

static enum status read_effect(struct reader *r, const struct mcp_node *v, struct error *err)
{
    int word = 0;
    enum status st = take_word(v, effect_words, N_EFFECTS, &word, err);

    if (!st)
        r->spec->settings.effect = (enum effect)word;
    return st;
}

/* New ones come before those of a file that counts less. */
static enum status read_effects(struct reader *r, const struct mcp_node *v, struct error *err)
{
    struct mcp_settings *s = &r->spec->settings;
    struct mcp_node_walk w = mcp_node_walk_of(v);
    struct mcp_node item;
    enum status st = STATUS_OK;
    size_t at = 0;

    if (jv_kind(v->value) != JV_OBJECT)
        return wrong_kind(v, "names of tools with effects", err);
    while (!st && mcp_node_next(&w, &item)) {
        int word = 0;

        st = take_word(&item, effect_words, N_EFFECTS, &word, err);
        if (st)
            break;
        s->effects = xrealloc(s->effects, (s->n_effects + 1) * sizeof(*s->effects));
        memmove(s->effects + at + 1, s->effects + at, (s->n_effects - at) * sizeof(*s->effects));
        s->effects[at++] = (struct mcp_tool_effect){xstrdup(item.key), (enum effect)word};
        s->n_effects++;
    }
    return st;
}

static enum status read_instances(struct reader *r, const struct mcp_node *v, struct error *err)
{
    int word = 0;
    enum status st = take_word(v, mcp_instances_words, N_MCP_INSTANCES, &word, err);

    if (!st)
        r->spec->settings.instances = (enum mcp_instances)word;
    return st;
}

static enum status read_pins(struct reader *r, const struct mcp_node *v, struct error *err)
{
    int word = 0;
    enum status st = take_word(v, mcp_pins_words, N_MCP_PINS, &word, err);

    if (!st)
        r->spec->settings.pins = (enum mcp_pins)word;
    return st;
}

static enum status read_allow_local(struct reader *r, const struct mcp_node *v, struct error *err)
{
    return take_bool(v, &r->spec->settings.allow_local, err);
}

static enum status read_roots(struct reader *r, const struct mcp_node *v, struct error *err)
{
    return take_texts(r, v, &r->spec->settings.roots, err);
}

/* ---- the fields of an entry */

enum field_for { ANY, OVER, ALL, OTHER };

static const struct field {
    const char *key;
    enum field_for where;
    read_fn read;
} fields[] = {
#define F(key, where, read, help) {key, where, read},
#include "mcp/config/mcp_spec_fields.def"
#undef F
};

static const struct field *field_of(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (strcmp(fields[i].key, key) == 0)
            return &fields[i];
    return NULL;
}

static bool is_allowed(const struct reader *r, const struct field *f)
{
    if (r->is_over)
        return f->where == OVER || f->where == ALL;
    return r->spec->own ? f->where != OTHER : f->where != OVER;
}

static enum status unknown_key(struct reader *r, const struct mcp_node *v, const struct field *f,
                               struct error *err)
{
    const char *keys[ARRAY_LEN(fields)], *near;
    struct mcp_node key = key_of(v);
    char words[160] = "";
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (is_allowed(r, &fields[i]))
            keys[n++] = fields[i].key;
    near = nearest_word(v->key, keys, n);
    if (f && r->spec->own)
        (void)snprintf(words, sizeof(words), "; it is for the JSON files of other hosts");
    else if (f)
        (void)snprintf(words, sizeof(words), "; it is for troupe.yaml, under mcp: servers:");
    else if (near)
        (void)snprintf(words, sizeof(words), "; did you mean %s?", near);
    if (r->spec->own)
        return mcp_fault(err, &key, "unknown key \"%.60s\"%s", v->key, words);
    mcp_note_at(r->notes, MCP_CONFIG_WARNING, v, true, "unknown key \"%.60s\"%s", v->key, words);
    return STATUS_OK;
}

static enum status read_fields(struct reader *r, const struct mcp_node *entry, struct error *err)
{
    struct mcp_node_walk w = mcp_node_walk_of(entry);
    struct mcp_node v;
    enum status st = STATUS_OK;

    if (jv_kind(entry->value) != JV_OBJECT)
        return wrong_kind(entry, "the fields of a server", err);
    while (!st && mcp_node_next(&w, &v)) {
        const struct field *f = field_of(v.key);

        if (!f || !is_allowed(r, f)) {
            st = unknown_key(r, &v, f, err);
        } else {
            st = f->read(r, &v, err);
            if (st)
                error_note(err, "%s", v.key);
        }
    }
    return st;
}

/* ---- what belongs together */

static bool looks_like_sse(const char *url)
{
    size_t n = strcspn(url, "?#");

    return n >= 4 && strncmp(url + n - 4, "/sse", 4) == 0;
}

static enum status check_url(const struct reader *r, struct error *err)
{
    const char *url = r->spec->url;

    if (mcp_expand_has_reference(url) || strncmp(url, "https://", 8) == 0 ||
        strncmp(url, "http://", 7) == 0)
        return STATUS_OK;
    return mcp_fault(err, &r->url, "a URL begins with https:// or http://");
}

static enum status settle_transport(struct reader *r, const struct mcp_node *entry,
                                    struct error *err)
{
    struct mcp_server_spec *s = r->spec;

    if (!s->command && !s->url)
        return mcp_fault(err, entry, "server %.60s has neither `command` nor `url`", s->name);
    if (s->command && s->url)
        return mcp_fault(err, entry, "server %.60s has both `command` and `url`; one is expected",
                         s->name);
    if (!r->type)
        s->transport = s->command                                  ? MCP_STDIO
                       : !r->url_is_http && looks_like_sse(s->url) ? MCP_SSE
                                                                   : MCP_HTTP;
    if ((s->transport == MCP_STDIO) != (s->command != NULL))
        return mcp_fault(err, entry, "server %.60s: type %s needs `%s`", s->name, r->type,
                         s->command ? "url" : "command");
    if (s->n_headers > 0 && s->command)
        return mcp_fault(err, entry, "server %.60s: `headers` need a `url`", s->name);
    return s->url ? check_url(r, err) : STATUS_OK;
}

static struct reader reader_of(struct mcp_server_spec *s, const struct mcp_node *entry,
                               const struct mcp_inputs *inputs, struct mcp_notes *notes)
{
    const struct mcp_source *from = entry->source;

    return (struct reader){.spec = s,
                           .scope = {.own = from->yaml != NULL,
                                     .file = from->path,
                                     .folder = from->folder,
                                     .workspace = from->workspace,
                                     .inputs = inputs},
                           .notes = notes};
}

struct mcp_server_spec *mcp_spec_read(const struct mcp_node *entry, const struct mcp_inputs *inputs,
                                      struct mcp_notes *notes)
{
    struct mcp_server_spec *s = mcp_server_spec_new(entry->key, entry->source);
    struct reader r = reader_of(s, entry, inputs, notes);
    struct error why = ERROR_INIT;
    enum status st = STATUS_OK;

    mcp_node_place(entry, true, &s->line, &s->column);
    if (!*s->name)
        st = mcp_fault(&why, entry, "the name of a server is empty");
    else if (mcp_server_name_is_own(s->name))
        st = mcp_fault(&why, entry, "%s is the name of Troupe's own tools; choose another one",
                       s->name);
    if (!st)
        st = read_fields(&r, entry, &why);
    if (!st)
        st = settle_transport(&r, entry, &why);
    if (st)
        mcp_server_spec_set_problem(s, &why);
    return s;
}

bool mcp_spec_has_target(const struct mcp_node *entry)
{
    return jv_kind(entry->value) != JV_OBJECT || jv_get(entry->value, "command") ||
           jv_get(entry->value, "url");
}

void mcp_spec_read_settings(const struct mcp_node *entry, struct mcp_server_spec *s,
                            struct mcp_notes *notes)
{
    struct reader r = reader_of(s, entry, NULL, notes);
    struct error why = ERROR_INIT;
    bool own = s->own;

    r.is_over = true;
    s->own = true; /* the rules for keys are those of troupe.yaml */
    if (read_fields(&r, entry, &why))
        mcp_server_spec_set_problem(s, &why);
    s->own = own;
}
