/* chat_command.c - the commands of a talk: lines that begin with a slash; see chat_talk.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/app/chat_talk.h"
#include "runtime/base/file_open.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"

#define C(word, args, help)                                                                        \
    static enum status chat_##word(struct chat *c, const char *rest, struct error *err);
#include "runtime/app/chat_commands.def"
#undef C

static const struct chat_word {
    const char *word, *args, *help;
    enum status (*run)(struct chat *c, const char *rest, struct error *err);
} words[] = {
#define C(word, args, help) {#word, args, help, chat_##word},
#include "runtime/app/chat_commands.def"
#undef C
};

static enum status chat_help(struct chat *c, const char *rest, struct error *err)
{
    (void)rest;
    (void)err;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        chat_output_note(&c->out, "  /%-6s %-5s %s", words[i].word, words[i].args, words[i].help);
    chat_output_note(&c->out, "  A line that ends with \\ goes on in the next one; \"\"\" begins "
                              "and ends a message of several lines.\n"
                              "  Ctrl-C stops the reply, Ctrl-D ends.");
    return STATUS_OK;
}

static enum status chat_tools(struct chat *c, const char *rest, struct error *err)
{
    const struct plan *p = c->run ? troupe_run_plan(c->run) : c->plan;
    const struct plan_agent *agent = plan_agent_find(p, CHAT_STEP);

    (void)rest;
    (void)err;
    for (int32_t i = 0; agent && i < agent->n_tools; i++)
        chat_output_note(&c->out, "  %s", agent->tools[i]);
    if (!agent || agent->n_tools == 0)
        chat_output_note(&c->out, "no tools; `troupe chat --tools NAME,...` gives it some");
    return STATUS_OK;
}

/* The next message begins a run with what was said, as text: another model has other tokens. */
static enum status chat_model(struct chat *c, const char *rest, struct error *err)
{
    struct troupe_run_options options = c->options;
    struct json *said = NULL;
    const char *given[1] = {rest};
    enum status st;

    if (!*rest) {
        chat_output_note(&c->out, "%s", c->out.model ? c->out.model->info.name : c->model);
        return STATUS_OK;
    }
    options.model = given;
    options.n_models = 1;
    st = troupe_plan_check(c->app->troupe, c->plan, &options, err);
    if (!st)
        st = chat_messages(c, true, &said, err);
    if (!st)
        st = chat_leave(c, err);
    if (st) {
        jv_unref(said);
        return st;
    }
    jv_unref(c->said);
    c->said = said;
    c->uuid[0] = '\0';
    free(c->model);
    c->model = xstrdup(rest);
    c->given[0] = c->model;
    c->options.n_models = 1;
    c->out.model = NULL;
    return STATUS_OK;
}

static enum status chat_new(struct chat *c, const char *rest, struct error *err)
{
    enum status st = chat_leave(c, err);

    (void)rest;
    jv_unref(c->said);
    c->said = NULL;
    c->uuid[0] = '\0';
    return st;
}

static enum status chat_save(struct chat *c, const char *rest, struct error *err)
{
    struct json *all = NULL;
    struct str text = STR_INIT;
    int fd = -1;
    enum status st;

    if (!*rest)
        return error_set(err, STATUS_USAGE, "give a file: /save FILE");
    st = chat_messages(c, false, &all, err);
    if (!st)
        st = file_open(rest, O_WRONLY | O_CREAT | O_EXCL, 0666, &fd, NULL, err);
    if (st) {
        jv_unref(all);
        return st;
    }
    jv_write(all, 2, &text);
    str_putc(&text, '\n');
    for (size_t at = 0; !st && at < text.len;) {
        ssize_t n = write(fd, str_cstr(&text) + at, text.len - at);

        if (n < 0 && errno != EINTR)
            st = error_errno(err, errno, "writing %s", rest);
        at += n > 0 ? (size_t)n : 0;
    }
    if (close(fd) != 0 && !st)
        st = error_errno(err, errno, "writing %s", rest);
    if (!st)
        chat_output_note(&c->out, "%zu message%s in %s", jv_size(all),
                         plural_s((int64_t)jv_size(all)), rest);
    str_deinit(&text);
    jv_unref(all);
    return st;
}

static enum status chat_quit(struct chat *c, const char *rest, struct error *err)
{
    (void)rest;
    (void)err;
    c->quit = true;
    return STATUS_OK;
}

static enum status unknown(const char *word, struct error *err)
{
    const char *names[ARRAY_LEN(words)], *near;

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        names[i] = words[i].word;
    near = nearest_word(word, names, ARRAY_LEN(words));
    (void)error_set(err, STATUS_USAGE, "there is no command /%.40s", word);
    if (near)
        error_hint(err, "did you mean /%s?", near);
    else
        error_hint(err, "/help lists them");
    return STATUS_USAGE;
}

void chat_command(struct chat *c, const char *line)
{
    size_t n = strcspn(line + 1, " \t\n");
    char *word = xstrndup(line + 1, n), *rest;
    const char *at = line + 1 + n + strspn(line + 1 + n, " \t\n");
    struct error err = ERROR_INIT;
    enum status st = STATUS_NOT_FOUND;

    rest = xstrndup(at, strcspn(at, "\n"));
    for (size_t i = strlen(rest); i > 0 && strchr(" \t\r", rest[i - 1]); i--)
        rest[i - 1] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(words[i].word, word) == 0)
            st = words[i].run(c, rest, &err);
    if (st == STATUS_NOT_FOUND && !err.message[0])
        st = unknown(word, &err);
    if (st) {
        c->failed = true;
        app_print_error(c->app, NULL, &err);
    }
    free(word);
    free(rest);
}
