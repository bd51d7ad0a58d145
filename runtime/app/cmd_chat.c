/* cmd_chat.c - chat: an interactive talk with one agent.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <unistd.h>

#include "runtime/app/chat_talk.h"
#include "runtime/base/memory.h"

/* On a terminal the line editor, if the terminal can do it; else plain lines. */
static void open_input(struct chat *c)
{
    const struct chat_wait wait = {.until = chat_until_readable, .ctx = c};
    struct error err = ERROR_INIT;

    if (isatty(STDIN_FILENO) && c->out.terminal) {
        if (chat_history_open(&c->history, c->app->seams, &err))
            log_write(c->app->log, LOG_WARN, "what you type is not kept: %s", err.message);
        error_clear(&err);
        c->edits = !chat_input_editor(&wait, c->history.text, c->history.n, &c->in, &err);
        if (c->edits)
            return;
        log_write(c->app->log, LOG_WARN, "%s", err.message);
    }
    c->in = chat_input_lines(STDIN_FILENO, &wait);
}

static void take_message(struct chat *c, const struct str *text)
{
    struct error err = ERROR_INIT;

    chat_history_add(&c->history, str_cstr(text));
    if (str_cstr(text)[0] == '/')
        chat_command(c, str_cstr(text));
    else if (chat_say(c, str_cstr(text), text->len, &err))
        app_print_error(c->app, c->uuid[0] ? c->uuid : NULL, &err);
}

static void talk(struct chat *c)
{
    struct str text;

    str_init(&text, CHAT_MESSAGE_MAX + 1);
    while (!c->quit && !c->out.unwritten && !*c->app->interrupted) {
        enum chat_line got = chat_input_message(c->in, &text);

        if (got == CHAT_END)
            break;
        if (got == CHAT_TOO_LONG)
            log_write(c->app->log, LOG_ERROR, "a message has at most 1 MiB");
        if (got == CHAT_LINE)
            take_message(c, &text);
    }
    str_deinit(&text);
}

/* How to go on, and with --json the last line. */
static int finish(struct chat *c)
{
    struct error err = ERROR_INIT;
    enum status st = *c->app->interrupted ? STATUS_OK : chat_leave(c, &err);
    int code = c->failed || c->out.unwritten ? EXIT_FAILED : EXIT_OK;

    if (st)
        code = app_fail(c->app, &err);
    if (c->left_asking)
        code = EXIT_WAITING;
    if (c->uuid[0])
        log_write_run(c->app->log, LOG_INFO, c->uuid, NULL,
                      "`troupe chat --resume %s` goes on with this talk", c->uuid);
    if (c->app->json && !c->out.unwritten) {
        struct json *doc = app_document("chat");

        jv_set_string(doc, "type", "result");
        jv_set_adopt(doc, "run", c->uuid[0] ? jv_string(c->uuid) : jv_null());
        app_print_json(doc);
    }
    return *c->app->interrupted ? 128 + *c->app->interrupted : code;
}

/* The agent is as it was recorded. */
static enum status check_resume(const struct app *a, struct error *err)
{
    static const enum option_id fixed[] = {OPT_TOOLS, OPT_SYSTEM, OPT_TEMPERATURE, OPT_MAX_TOKENS};

    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        if (strcmp(option_origin(a->options, fixed[i]), "flag") == 0)
            return error_set(err, STATUS_USAGE, "--%s: --resume goes on with the recorded agent",
                             option_spec(fixed[i])->name);
    return STATUS_OK;
}

static int chat_main(void *app)
{
    struct app *a = app;
    struct chat c;
    struct error err = ERROR_INIT;
    const char *run = option_text(a->options, OPT_CHAT_RESUME);
    enum status st = run ? check_resume(a, &err) : STATUS_OK;
    int code;

    if (st)
        return app_fail(a, &err);
    st = chat_open(&c, a, &err);
    if (!st && run)
        st = chat_resume(&c, run, &err);
    if (st) {
        code = app_fail(a, &err);
        code = c.left_asking ? EXIT_WAITING : code;
    } else {
        open_input(&c);
        if (c.out.terminal)
            chat_output_note(&c.out, "/help lists what you can type; Ctrl-D ends");
        talk(&c);
        code = finish(&c);
    }
    chat_close(&c);
    return code;
}

static const enum option_id chat_options[] = {
    OPT_MODEL,         OPT_TOOLS,    OPT_SYSTEM,       OPT_CHAT_RESUME,  OPT_TEMPERATURE,
    OPT_MAX_TOKENS,    OPT_SEED,     OPT_ROOT,         OPT_DEVICE,       OPT_THREADS,
    OPT_KV_MEMORY,     OPT_CONTEXT,  OPT_CPU_ISA,      OPT_WEIGHT_TYPE,  OPT_KV_TYPE,
    OPT_TRUST_PROJECT, OPT_OTLP_URL, OPT_OTLP_HEADERS, OPT_OTLP_CONTENT, OPT_END};
const struct command_spec cmd_chat = {
    "chat",
    "models",
    "",
    "talk with an agent; without a terminal each line of standard input is a message",
    "Ctrl-C stops the reply, Ctrl-D ends. A line that begins with / is a command; /help lists "
    "them. "
    "A line that ends with \\ goes on in the next one; \"\"\" begins and ends a message of several "
    "lines.\nThe talk is a run: `troupe show` prints it, and --resume goes on with it.",
    chat_options,
    0,
    0,
    chat_main};
