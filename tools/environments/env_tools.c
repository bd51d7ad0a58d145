/* env_tools.c - adds the environments' tools to the registry.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/env_tools.h"

#include <stdio.h>

#include "tools/environments/environment.h"

static void start(struct tool *t, struct tool_call *c)
{
    tool_call_refuse(c,
                     "%s needs an episode of the environment %s; use it in an agent step with "
                     "\"env: {name: %s}\", or in `troupe eval`",
                     t->name, t->source, t->source);
}

static enum status register_one(struct tool_registry *r, const struct env_ops *env,
                                const struct env_tool_spec *spec, struct error *err)
{
    static const struct tool_ops ops = {.start = start, .free = tool_release};
    char name[96];
    struct tool_declaration d = {
        .name = name,
        .description = spec->description,
        .source = env->name,
        .input_schema = spec->input_schema,
        .output_schema = spec->output_schema,
        .effect = spec->effect,
    };
    struct tool *t = NULL;
    enum status st;

    (void)snprintf(name, sizeof(name), "%s_%s", env->name, spec->name);
    st = tool_new(&d, &ops, NULL, &t, err);
    return st ? st : tool_registry_adopt(r, t, err);
}

enum status env_register_tools(struct tool_registry *r, struct error *err)
{
    enum status st = STATUS_OK;

    for (int32_t i = 0; !st && env_at(i); i++) {
        for (int32_t t = 0; !st && t < env_at(i)->n_tools; t++)
            st = register_one(r, env_at(i), &env_at(i)->tools[t], err);
    }
    return st;
}
