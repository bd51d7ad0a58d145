/* chat_plan.c - the blueprint of a talk; see chat_talk.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/api/troupe_mcp.h"
#include "runtime/app/chat_talk.h"
#include "runtime/base/memory.h"

/* NAME,... in each value of --tools. */
static struct json *tool_names(const struct app *a)
{
    struct json *list = jv_array();

    for (int32_t i = 0; i < option_count(a->options, OPT_TOOLS); i++) {
        const char *at = option_text_at(a->options, OPT_TOOLS, i);

        while (*at) {
            size_t n = strcspn(at, ",");

            if (n > 0)
                jv_append_adopt(list, jv_string_n(at, n));
            at += n + (at[n] == ',');
        }
    }
    return list;
}

static struct json *agent_json(const struct app *a)
{
    struct json *agent = jv_object(), *tools = tool_names(a);
    const char *system = option_text(a->options, OPT_SYSTEM);

    if (system)
        jv_set_string(agent, "prompt", system);
    if (jv_size(tools) > 0)
        jv_set_adopt(agent, "tools", jv_ref(tools));
    jv_unref(tools);
    jv_set_int(agent, "max_tokens", option_int(a->options, OPT_MAX_TOKENS));
    if (option_is_set(a->options, OPT_TEMPERATURE))
        jv_set_real(agent, "temperature", option_number(a->options, OPT_TEMPERATURE));
    return agent;
}

static struct json *inputs_json(void)
{
    struct json *inputs = jv_object(), *message = jv_object(), *history = jv_object();

    jv_set_string(message, "type", "string");
    jv_set_bool(message, "required", true);
    jv_set_string(history, "type", "array");
    jv_set_adopt(history, "default", jv_array());
    jv_set_adopt(inputs, "message", message);
    jv_set_adopt(inputs, "history", history);
    return inputs;
}

static char *plan_text(const struct app *a)
{
    struct json *doc = jv_object(), *agents = jv_object(), *steps = jv_object();
    struct json *step = jv_object();
    char *text;

    jv_set_string(step, "agent", CHAT_STEP);
    jv_set_string(step, "history", "${inputs.history}");
    jv_set_string(step, "in", "${inputs.message}");
    jv_set_bool(step, "talk", true);
    jv_set_string(step, "on_length", "continue");
    jv_set_adopt(steps, CHAT_STEP, step);
    jv_set_adopt(agents, CHAT_STEP, agent_json(a));
    jv_set_string(doc, "schema", "blueprint/v1");
    jv_set_adopt(doc, "inputs", inputs_json());
    jv_set_adopt(doc, "agents", agents);
    jv_set_adopt(doc, "steps", steps);
    text = jv_dump(doc);
    jv_unref(doc);
    return text;
}

enum status chat_plan(const struct app *a, struct plan **out, struct error *err)
{
    const char *system = option_text(a->options, OPT_SYSTEM);
    char *folder = getcwd(NULL, 0), *text;
    struct error why = ERROR_INIT;
    enum status st = option_one(a->options, OPT_TEMPERATURE, err);

    if (!st && system && strstr(system, "${"))
        st = error_set(err, STATUS_USAGE, "--system: the text must not contain ${");
    if (st) {
        free(folder);
        return st;
    }
    text = plan_text(a);
    st = blueprint_from_text(CHAT_FILE, text, folder ? folder : "/", out, &why);
    if (st)
        st = error_set(err, STATUS_USAGE, "%.*s", (int)strcspn(why.message, "\n"), why.message);
    if (!st)
        st = troupe_mcp_plan(a->troupe, *out, err);
    free(text);
    free(folder);
    return st;
}

bool chat_plan_is_talk(const struct plan *p)
{
    return p->n_steps == 1 && p->step[0].talks && strcmp(p->step[0].id, CHAT_STEP) == 0;
}
