/* app_tokenizer.c - see app_tokenizer.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_tokenizer.h"

#include "runtime/api/model_file.h"
#include "runtime/app/app_model.h"

enum status app_model_file(struct app *a, const char *model, const char *file, size_t max_bytes,
                           char **out, size_t *n, struct error *err)
{
    enum status st = app_model_is_here(a, model, err);

    return st ? st : model_file(model, file, max_bytes, out, n, err);
}

enum status app_model_files(struct app *a, const char *model, struct model_source **out,
                            struct error *err)
{
    enum status st = app_model_is_here(a, model, err);

    return st ? st : model_files(model, out, err);
}

enum status app_tokenizer(struct app *a, const char *model, struct tokenizer **out,
                          struct error *err)
{
    struct model_source *files = NULL;
    struct tokenizer *t = NULL;
    enum status st = app_model_files(a, model, &files, err);

    if (!st)
        st = model_source_tokenizer(files, &t, err);
    if (!st && !t)
        st = error_set(err, STATUS_NOT_FOUND, "model %s has no tokenizer", model);
    model_source_close(files);
    if (!st)
        *out = t;
    return st;
}
