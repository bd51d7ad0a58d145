/* mcp_server_spec.c - see mcp_server_spec.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/config/mcp_server_spec.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mcp/config/mcp_expand.h"
#include "runtime/base/glob.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"

#define ENV_FILE_MAX ((size_t)256 << 10)

const char *const mcp_server_transport_words[N_MCP_TRANSPORTS] = {
    [MCP_STDIO] = "stdio", [MCP_HTTP] = "http", [MCP_SSE] = "sse"};
const char *const mcp_instances_words[N_MCP_INSTANCES] = {
    [MCP_SHARED] = "shared", [MCP_PER_CLIENT] = "per_client"};
const char *const mcp_pins_words[N_MCP_PINS] = {
    [MCP_PINS_FIRST] = "first", [MCP_PINS_STRICT] = "strict", [MCP_PINS_OFF] = "off"};

void mcp_texts_add(struct mcp_texts *t, const char *text)
{
    t->text = xrealloc(t->text, (t->n + 1) * sizeof(char *));
    t->text[t->n++] = xstrdup(text);
}

void mcp_texts_deinit(struct mcp_texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->text[i]);
    free(t->text);
    *t = (struct mcp_texts){0};
}

void mcp_pairs_add(struct mcp_pair **pairs, size_t *n, const char *name, const char *value)
{
    *pairs = xrealloc(*pairs, (*n + 1) * sizeof(**pairs));
    (*pairs)[(*n)++] = (struct mcp_pair){xstrdup(name), value ? xstrdup(value) : NULL};
}

void mcp_pairs_free(struct mcp_pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(pairs[i].name);
        if (pairs[i].value)
            explicit_bzero(pairs[i].value, strlen(pairs[i].value));
        free(pairs[i].value);
    }
    free(pairs);
}

static void settings_deinit(struct mcp_settings *s)
{
    for (size_t i = 0; i < s->n_effects; i++)
        free(s->effects[i].pattern);
    free(s->effects);
    mcp_texts_deinit(&s->roots);
    mcp_texts_deinit(&s->include);
    mcp_texts_deinit(&s->exclude);
}

struct mcp_server_spec *mcp_server_spec_new(const char *name, const struct mcp_source *source)
{
    struct mcp_server_spec *s = xcalloc(1, sizeof(*s));

    s->name = xstrdup(name);
    s->file = xstrdup(source->path);
    s->folder = xstrdup(source->folder);
    s->workspace = xstrdup(source->workspace);
    s->own = source->yaml != NULL;
    s->refs = 1;
    s->settings = (struct mcp_settings){.enabled = true,
                                        .timeout_ms = MCP_DEFAULT_TIMEOUT_MS,
                                        .start_timeout_ms = MCP_DEFAULT_START_TIMEOUT_MS,
                                        .max_in_flight = MCP_DEFAULT_IN_FLIGHT,
                                        .effect = EFFECT_ONCE};
    return s;
}

struct mcp_server_spec *mcp_server_spec_ref(struct mcp_server_spec *s)
{
    s->refs++;
    return s;
}

void mcp_server_spec_unref(struct mcp_server_spec *s)
{
    if (!s || --s->refs > 0)
        return;
    free(s->name);
    free(s->command);
    mcp_texts_deinit(&s->args);
    mcp_pairs_free(s->env, s->n_env);
    mcp_pairs_free(s->headers, s->n_headers);
    free(s->env_file);
    free(s->cwd);
    free(s->url);
    settings_deinit(&s->settings);
    free(s->file);
    free(s->folder);
    free(s->workspace);
    free(s->changed_by);
    free(s->changed_in);
    free(s->problem);
    free(s);
}

bool mcp_server_spec_needs_approval(const struct mcp_server_spec *s)
{
    return s->of_project || s->changed_by;
}

const char *const mcp_own_names[MCP_OWN_NAMES] = {"blueprint", "agent", "troupe"};

bool mcp_server_name_is_own(const char *name)
{
    for (size_t i = 0; i < MCP_OWN_NAMES; i++) {
        if (strcasecmp(mcp_own_names[i], name) == 0)
            return true;
    }
    return false;
}

void mcp_server_spec_set_problem(struct mcp_server_spec *s, const struct error *err)
{
    if (s->problem)
        return;
    s->problem = xmalloc(sizeof(*s->problem));
    *s->problem = *err;
}

/* ---- hashes: each text with its length before it, so that no two lists are alike */

static void add_bytes(struct hasher *h, const void *bytes, size_t n)
{
    uint64_t size = n;

    hasher_add(h, &size, sizeof(size));
    hasher_add(h, bytes, n);
}

static void add_text(struct hasher *h, const char *text)
{
    char known = text != NULL;

    hasher_add(h, &known, 1);
    if (text)
        add_bytes(h, text, strlen(text));
}

static void add_number(struct hasher *h, int64_t v)
{
    hasher_add(h, &v, sizeof(v));
}

static void add_texts(struct hasher *h, const struct mcp_texts *t)
{
    add_number(h, (int64_t)t->n);
    for (size_t i = 0; i < t->n; i++)
        add_text(h, t->text[i]);
}

static void add_pairs(struct hasher *h, const struct mcp_pair *pairs, size_t n)
{
    add_number(h, (int64_t)n);
    for (size_t i = 0; i < n; i++) {
        add_text(h, pairs[i].name);
        add_text(h, pairs[i].value);
    }
}

/* The values in the file count too: a server that has read them must start again. */
static void add_env_file(struct hasher *h, const struct mcp_server_spec *s)
{
    struct str path = STR_INIT;
    char *bytes = NULL;
    size_t n = 0;

    add_text(h, s->env_file);
    if (!s->env_file || mcp_expand_has_reference(s->env_file))
        return;
    if (s->env_file[0] != '/')
        str_printf(&path, "%s/", s->folder);
    str_puts(&path, s->env_file);
    if (file_read(str_cstr(&path), ENV_FILE_MAX, &bytes, &n, NULL) == STATUS_OK)
        add_bytes(h, bytes, n);
    if (bytes)
        explicit_bzero(bytes, n);
    free(bytes);
    str_deinit(&path);
}

void mcp_server_spec_hash(struct mcp_server_spec *s)
{
    struct hasher *h = hasher_new();
    const struct mcp_settings *set = &s->settings;

    add_text(h, s->name);
    add_number(h, (int64_t)s->transport);
    add_text(h, s->command);
    add_texts(h, &s->args);
    add_pairs(h, s->env, s->n_env);
    add_pairs(h, s->headers, s->n_headers);
    add_env_file(h, s);
    add_text(h, s->cwd);
    add_text(h, s->url);
    add_text(h, s->folder);
    add_text(h, s->workspace);
    add_number(h, s->own);
    add_number(h, (int64_t)set->instances);
    add_number(h, set->allow_local);
    add_texts(h, &set->roots);
    s->target_hash = hasher_finish(h);

    h = hasher_new();
    hasher_add(h, s->target_hash.byte, sizeof(s->target_hash.byte));
    add_number(h, set->enabled && !s->problem);
    s->start_hash = hasher_finish(h);

    h = hasher_new();
    hasher_add(h, s->start_hash.byte, sizeof(s->start_hash.byte));
    add_number(h, set->timeout_ms);
    add_number(h, set->total_timeout_ms);
    add_number(h, set->start_timeout_ms);
    add_number(h, set->idle_shutdown_ms);
    add_number(h, set->max_in_flight);
    add_number(h, (int64_t)set->effect);
    add_number(h, (int64_t)set->n_effects);
    for (size_t i = 0; i < set->n_effects; i++) {
        add_text(h, set->effects[i].pattern);
        add_number(h, (int64_t)set->effects[i].effect);
    }
    add_number(h, (int64_t)set->pins);
    add_texts(h, &set->include);
    add_texts(h, &set->exclude);
    s->hash = hasher_finish(h);
}

/* ---- tools */

enum effect mcp_server_spec_effect(const struct mcp_server_spec *s, const char *tool)
{
    const struct mcp_settings *set = &s->settings;

    for (size_t i = 0; i < set->n_effects; i++)
        if (strcmp(set->effects[i].pattern, tool) == 0)
            return set->effects[i].effect;
    for (size_t i = 0; i < set->n_effects; i++)
        if (glob_match(set->effects[i].pattern, tool))
            return set->effects[i].effect;
    return set->effect;
}

static bool any_matches(const struct mcp_texts *patterns, const char *name)
{
    for (size_t i = 0; i < patterns->n; i++)
        if (glob_match(patterns->text[i], name))
            return true;
    return false;
}

bool mcp_server_spec_has_tool(const struct mcp_server_spec *s, const char *tool)
{
    const struct mcp_settings *set = &s->settings;

    return !any_matches(&set->exclude, tool) &&
           (set->include.n == 0 || any_matches(&set->include, tool));
}
