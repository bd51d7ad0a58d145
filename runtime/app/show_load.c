/* show_load.c - loads what show prints: a run, and the tokenizer for the text of its tokens.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tokenizer.h"
#include "runtime/app/app_tokenizer.h"
#include "runtime/app/show.h"

static void find_tokenizer(struct show_view *v)
{
    const struct json *config = jv_get(v->run.head, "config");
    const char *name = jv_get_string(jv_get(config, "model"), NULL);
    struct error ignored = ERROR_INIT;

    if (v->run.tokens && name && app_tokenizer(v->app, name, &v->tokenizer, &ignored))
        v->tokenizer = NULL; /* ids are shown without text */
}

enum status show_load(struct show_view *v, struct store_reader *q, const char *uuid,
                      const char *path, int64_t after, struct error *err)
{
    enum status st;

    v->tokenizer = NULL;
    st = run_view_load(&v->run, q, uuid, path, after, err);
    if (!st)
        find_tokenizer(v);
    return st;
}

void show_deinit(struct show_view *v)
{
    run_view_deinit(&v->run);
    tokenizer_free(v->tokenizer);
    v->tokenizer = NULL;
}
