/* cmd_train_replay.c - train replay: one update of a reinforcement run again, bit for bit.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "runtime/app/app_args.h"
#include "runtime/app/app_grpo.h"
#include "runtime/base/text.h"

static int print_replay(const struct app *a, int64_t update, const struct grpo_replayed *r)
{
    bool equal = strcmp(r->recorded, r->now) == 0;
    struct str out = STR_INIT;
    int code;

    if (a->json) {
        struct json *doc = app_document("train_replay");
        jv_set_int(doc, "update", update);
        jv_set_int(doc, "from", r->from);
        jv_set_string(doc, "recorded", r->recorded);
        jv_set_string(doc, "now", r->now);
        jv_set_bool(doc, "equal", equal);
        code = app_print_json(doc);
        return code ? code : equal ? EXIT_OK : EXIT_NOT_OK;
    }
    str_printf(&out, "update %lld, played again from update %lld\nrecorded %s\nnow      %s\n%s\n",
               (long long)update, (long long)r->from, r->recorded, r->now,
               equal ? "equal: every weight has the same bits" : "DIFFERENT");
    code = app_print(&out);
    str_deinit(&out);
    return code ? code : equal ? EXIT_OK : EXIT_NOT_OK;
}

/* The options of the run, and ours for where and how it computes. */
static enum status read_run(struct app *a, const char *dir, struct app *then, struct error *err)
{
    const struct command_spec *command = NULL;
    struct options *options = NULL;
    struct str path = STR_INIT;
    enum status st;

    str_printf(&path, "%s/train.json", dir);
    st = app_args_read(a, str_cstr(&path), &options, &command, err);
    str_deinit(&path);
    if (st)
        return st;
    *then = *a;
    then->options = options;
    then->command = command;
    if (!command || strcmp(command->name, "train grpo") != 0)
        st = error_set(err, STATUS_USAGE, "%s is no run of train grpo", dir);
    return st;
}

static int replay_main(void *app)
{
    struct app *a = app, then = {0};
    struct grpo_job j = {.app = app};
    struct grpo_replayed r = {0};
    struct error err = ERROR_INIT;
    const char *dir = options_arg(a->options, 0);
    int64_t update = 0;
    enum status st = STATUS_OK;
    int code;

    if (!text_to_i64(options_arg(a->options, 1), &update) || update < 1)
        st = error_set(&err, STATUS_USAGE, "\"%s\" is no update: they are counted from 1",
                       options_arg(a->options, 1));
    if (!st)
        st = read_run(a, dir, &then, &err);
    if (!st)
        st = grpo_job_open(&j, &then, dir, false, &err);
    if (!st)
        st = grpo_replay(j.pool, j.start, &j.options, update, &r, &err);
    code = st ? app_fail(a, &err) : print_replay(a, update, &r);
    grpo_job_close(&j);
    if (then.options)
        options_free((struct options *)(uintptr_t)then.options);
    return code;
}

static const enum option_id replay_options[] = {OPT_END};
const struct command_spec cmd_train_replay = {
    "train replay",
    "learn",
    "DIR UPDATE",
    "plays one update of a reinforcement run again and compares the weights bit for bit",
    "Begins at the newest kept checkpoint before it (--keep-last keeps more of them). Ends with 3 "
    "when the weights differ.",
    replay_options,
    2,
    2,
    replay_main};
