/* cmd_train_replay.c - train replay: repeats one update of a training, bit for bit.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "runtime/app/app_grpo.h"
#include "runtime/app/app_training.h"
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
    str_printf(&out, "update %lld, repeated from update %lld\nrecorded %s\nnow      %s\n%s\n",
               (long long)update, (long long)r->from, r->recorded, r->now,
               equal ? "equal: every weight has the same bits" : "DIFFERENT");
    code = app_print(&out);
    str_deinit(&out);
    return code ? code : equal ? EXIT_OK : EXIT_NOT_OK;
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
    bool read = false;
    int code;

    if (!text_to_i64(options_arg(a->options, 1), &update) || update < 1)
        st = error_set(&err, STATUS_USAGE, "\"%s\" is not the number of an update (1, 2, ...)",
                       options_arg(a->options, 1));
    if (!st)
        st = app_training_read(a, dir, "train grpo", &then, &read, &err);
    if (!st && !read)
        st = error_set(&err, STATUS_NOT_FOUND,
                       "%s has no train.json: it is not a folder of train grpo", dir);
    if (!st)
        st = grpo_job_open(&j, &then, dir, true, false, &err);
    if (!st)
        st = grpo_replay(j.pool, j.start, &j.options, update, &r, &err);
    code = st ? app_training_failed(a, st, &err) : print_replay(a, update, &r);
    grpo_job_close(&j);
    app_training_close(a, &then);
    return code;
}

static const enum option_id replay_options[] = {OPT_MODEL,  OPT_THREADS,   OPT_CPU_ISA,
                                                OPT_DEVICE, OPT_KV_MEMORY, OPT_END};
const struct command_spec cmd_train_replay = {
    "train replay",
    "learn",
    "DIR UPDATE",
    "repeat one update of a GRPO training and compare the weights bit for bit",
    "It starts at the newest kept checkpoint before UPDATE (--keep-last keeps more of them). The "
    "exit code is 3 when\nthe weights differ. Options come from DIR; --model gives the new place "
    "of its model.",
    replay_options,
    2,
    2,
    replay_main};
