/* cmd_completion.c - completion: the scripts that shells load, and the words that they offer.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/api/known_model.h"
#include "runtime/api/model_file.h"
#include "runtime/api/troupe.h"
#include "runtime/app/app_env.h"
#include "runtime/app/app_mcp.h"
#include "runtime/app/app_model.h"
#include "runtime/app/app_run.h"
#include "runtime/app/app_tools.h"
#include "runtime/base/memory.h"
#include "runtime/config/completion.h"
#include "runtime/store/query.h"

#define RUNS_MAX 100 /* the newest ones */

struct runs {
    struct completion *completion;
    struct store_reader *reader;
    int32_t n;
};

static bool offer_run(void *ctx, const struct run_row *r)
{
    struct runs *runs = ctx;
    struct error ignored = ERROR_INIT;
    char id[37], about[200];

    if (query_short_id(runs->reader, r->uuid, id, &ignored) ||
        strlen(runs->completion->typed) > strlen(id))
        snprintf(id, sizeof(id), "%s", r->uuid);
    snprintf(about, sizeof(about), "%s, %s", r->name, run_status_word(r->status));
    completion_offer(runs->completion, id, about);
    return ++runs->n < RUNS_MAX;
}

static void offer_runs(struct completion *c)
{
    struct app *a = c->owner;
    struct runs runs = {.completion = c};
    bool answer = strcmp(c->command->name, "answer") == 0; /* only waiting runs take an answer */
    struct store_options o = {.path = c->store, .read_only = true, .seams = a->seams};
    struct error ignored = ERROR_INIT;

    if (c->store && (!file_exists(c->store) || troupe_open_store(a->troupe, &o, &ignored) ||
                     troupe_reader(a->troupe, &runs.reader, &ignored)))
        return;
    if (!c->store && app_reader(a, &runs.reader, &ignored))
        return;
    completion_offer(c, "last", "the newest run");
    if (query_runs(runs.reader, answer ? RUN_STATUS_BIT(RUN_WAITING) : 0, 0, offer_run, &runs,
                   &ignored))
        return; /* offer the runs read so far */
}

static void offer_model(void *ctx, const char *name)
{
    completion_offer(ctx, name, NULL);
}

static void offer_models(struct completion *c)
{
    if (strncmp(c->typed, "script:", 7) == 0) {
        c->files = true;
        return;
    }
    completion_offer(c, "embedded", NULL);
    model_known_each(offer_model, c);
    model_cache_each(offer_model, c);
    if (strcmp(c->command->name, "models show") != 0)
        completion_offer(c, "script:", NULL);
    c->folders = strncmp(c->typed, "hf:", 3) != 0;
}

static void offer_tools(struct completion *c)
{
    struct tool_registry *r = NULL;
    struct error ignored = ERROR_INIT;

    if (app_tools(c->owner, &r, &ignored))
        return;
    for (size_t i = 0; tool_registry_at(r, i); i++)
        completion_offer(c, tool_registry_at(r, i)->name, NULL);
    tool_registry_free(r);
}

static void offer_servers(struct completion *c)
{
    struct app *a = c->owner;
    struct error ignored = ERROR_INIT;
    const struct mcp_config *servers;

    if (app_mcp_open(a, APP_MCP_NAMED, &ignored))
        return;
    servers = troupe_mcp_config(a->troupe);
    for (size_t i = 0; i < mcp_config_size(servers); i++)
        completion_offer(c, mcp_config_at(servers, i)->name, mcp_config_at(servers, i)->file);
}

static void offer_list(struct completion *c, const char *const *list, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        completion_offer(c, list[i], NULL);
}

static void offer_names(struct completion *c, const char *kind)
{
    const struct env_ops *e = c->env ? env_find(c->env) : NULL;

    if (strcmp(kind, "RUN") == 0)
        offer_runs(c);
    else if (strcmp(kind, "M") == 0)
        offer_models(c);
    else if (strcmp(kind, "NAME") == 0 && strcmp(c->command->name, "models get") == 0)
        for (int32_t i = 0; known_model_at(i); i++)
            completion_offer(c, known_model_at(i)->name, known_model_at(i)->about);
    else if (strcmp(kind, "TOOL") == 0)
        offer_tools(c);
    else if (strcmp(kind, "SERVER") == 0)
        offer_servers(c);
    else if (strcmp(kind, "STATUS") == 0)
        for (int i = 0; i < RUN_STATUS_N; i++)
            completion_offer(c, run_status_word((enum run_status)i), NULL);
    else if (strcmp(kind, "ENV") == 0)
        for (int32_t i = 0; env_at(i); i++)
            completion_offer(c, env_at(i)->name, env_at(i)->summary);
    else if (e && strcmp(kind, "EXPERT") == 0)
        offer_list(c, e->experts, e->n_experts);
    else if (e && strcmp(kind, "FAULT") == 0)
        offer_list(c, e->faults, e->n_faults);
    else if (e && strcmp(kind, "KIND") == 0)
        offer_list(c, e->demo_kinds, e->n_demo_kinds);
}

static int print_words(struct app *a)
{
    int32_t n = options_n_args(a->options) - 1;
    const char **words = xcalloc((size_t)n + 1, sizeof(*words));
    struct str out = STR_INIT;
    struct completion c = {.commands = a->commands,
                           .n_commands = a->n_commands,
                           .words = words,
                           .n_words = n,
                           .names = offer_names,
                           .owner = a,
                           .out = &out};
    int code;

    for (int32_t i = 0; i < n; i++)
        words[i] = options_arg(a->options, i + 1);
    completion_run(&c);
    code = app_print(&out);
    str_deinit(&out);
    free(words);
    return code;
}

static int completion_main(void *app)
{
    struct app *a = app;
    const char *shell = options_arg(a->options, 0), *script = completion_script(shell);
    struct str s = STR_INIT;
    struct error err = ERROR_INIT;
    int code;

    if (strcmp(shell, "words") == 0)
        return print_words(a);
    if (!script) {
        error_set(&err, STATUS_USAGE, "no completion for the shell \"%s\"", shell);
        error_hint(&err, "supported shells: bash, zsh, fish");
        return app_fail(a, &err);
    }
    str_puts(&s, script);
    code = app_print(&s);
    str_deinit(&s);
    return code;
}

const struct command_spec cmd_completion = {
    "completion",
    "host",
    "bash|zsh|fish",
    "print a completion script for a shell",
    "In bash: source <(troupe completion bash). In zsh, after compinit: source <(troupe "
    "completion zsh).\nIn fish: troupe completion fish | source. An installed troupe needs none "
    "of these.\nThe scripts call `troupe completion words -- WORD...`, which prints the "
    "completions of the last WORD.",
    NULL,
    1,
    INT32_MAX,
    completion_main};
