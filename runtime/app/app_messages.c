/* app_messages.c - see app_messages.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_messages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agents/agent.h"
#include "agents/chat_prompt.h"
#include "runtime/serve/openai.h"

static enum status read_stdin(struct str *out, struct error *err)
{
    char bytes[65536];
    ssize_t n;

    str_init(out, JSON_MAX_BYTES + 1);
    while ((n = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            str_append(out, bytes, (size_t)n);
    if (n < 0)
        return error_errno(err, errno, "reading standard input");
    return str_ok(out) ? STATUS_OK
                       : error_set(err, STATUS_LIMIT, "standard input has more than %zu bytes",
                                   JSON_MAX_BYTES);
}

/* The value of a file; `option` is for messages. */
static enum status read_array(const char *file, const char *option, struct json **out,
                              struct error *err)
{
    struct str text = STR_INIT;
    struct json *v = NULL;
    enum status st;

    if (strcmp(file, "-") == 0) {
        st = read_stdin(&text, err);
        if (!st)
            st = jv_parse(str_cstr(&text), text.len, "standard input", &v, err);
        str_deinit(&text);
    } else {
        st = jv_parse_file(file, JSON_MAX_BYTES, &v, err);
    }
    if (!st && jv_kind(v) != JV_ARRAY)
        st =
            error_set(err, STATUS_USAGE, "%s %s: it must hold a JSON array, not a value of type %s",
                      option, file, jv_kind_name(jv_kind(v)));
    if (st)
        jv_unref(v);
    else
        *out = v;
    return st;
}

/* In front of the messages, which must not have one. */
static enum status add_system(const char *text, struct json **messages, struct error *err)
{
    const char *first = jv_get_string(jv_get(jv_at(*messages, 0), "role"), "");
    struct json *all, *system;

    if (!text)
        return STATUS_OK;
    if (strcmp(first, "system") == 0 || strcmp(first, "developer") == 0)
        return error_set(err, STATUS_USAGE,
                         "--system: the messages of --messages begin with a %s message", first);
    all = jv_array();
    system = jv_object();
    jv_set_string(system, "role", "system");
    jv_set_string(system, "content", text);
    jv_append_adopt(all, system);
    for (size_t i = 0; i < jv_size(*messages); i++)
        jv_append_adopt(all, jv_ref(jv_at(*messages, i)));
    jv_unref(*messages);
    *messages = all;
    return STATUS_OK;
}

/* The request that these would be, so that they are checked as the server checks them. */
static enum status check(struct json *messages, struct json *tools, struct openai_request *out,
                         struct error *err)
{
    struct json *body = jv_object();
    struct openai_error e;
    char *text;
    bool ok;

    jv_set_string(body, "model", "model");
    jv_set_adopt(body, "messages", jv_ref(messages));
    if (tools)
        jv_set_adopt(body, "tools", jv_ref(tools));
    text = jv_dump(body);
    jv_unref(body);
    ok = openai_parse(OPENAI_CHAT, text, strlen(text), out, &e);
    free(text);
    return ok ? STATUS_OK
              : error_set(err, STATUS_USAGE, "%s%s%s", e.param, e.param[0] ? ": " : "", e.message);
}

static enum status make(struct app *a, struct model *m, const struct openai_request *r,
                        struct token_ids *out, struct error *err)
{
    const struct agent_host_options o = {.seams = a->seams, .interrupted = a->interrupted};
    const struct chat_prompt_spec spec = {.model = m, .messages = r->messages, .tools = r->tools};
    struct chat_prompt made = {.chat = NULL};
    struct agent_host *h = NULL;
    enum status st = agent_host_new(&o, &h, err);

    if (!st)
        st = chat_prompt_make(h, &spec, &made, out, err);
    jv_unref(made.tools);
    agent_host_free(h);
    return st;
}

enum status app_messages_prompt(struct app *a, struct model *m, struct token_ids *out,
                                struct error *err)
{
    const char *tools_file = option_text(a->options, OPT_TOOLS);
    struct json *messages = NULL, *tools = NULL;
    struct openai_request r;
    enum status st = model_chats(&m->info) ? STATUS_OK : model_chats_not(m->info.name, err);

    if (!st)
        st = read_array(option_text(a->options, OPT_MESSAGES_FILE), "--messages", &messages, err);
    if (!st && tools_file)
        st = read_array(tools_file, "--tools", &tools, err);
    if (!st)
        st = add_system(option_text(a->options, OPT_SYSTEM), &messages, err);
    if (!st)
        st = check(messages, tools, &r, err);
    jv_unref(messages);
    jv_unref(tools);
    if (st)
        return st;
    st = make(a, m, &r, out, err);
    openai_request_deinit(&r);
    return st;
}
