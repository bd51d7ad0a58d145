/* app_tokenizer.c - a model's small files by name: embedded, or from its folder.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/app/app_model.h"
#include "runtime/base/memory.h"

enum status app_model_file(struct app *a, const char *model, const char *file, size_t max_bytes,
                           char **out, size_t *n, struct error *err)
{
    struct engine_options eo;
    char folder[1024], path[1200];
    enum status st;

    if (strcmp(model, "embedded") == 0) {
        for (int32_t i = 0; embedded_file_at(i); i++) {
            const struct embedded_file *f = embedded_file_at(i);
            if (strcmp(f->name, file) != 0)
                continue;
            *out = xcalloc(1, f->n + 1);
            memcpy(*out, f->bytes, f->n);
            *n = f->n;
            return STATUS_OK;
        }
        return error_set(err, STATUS_NOT_FOUND, "the embedded model has no %s", file);
    }
    st = app_engine_options(a, model, folder, &eo, err);
    if (st)
        return st;
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    return file_read(path, max_bytes, out, n, err);
}

enum status app_tokenizer(struct app *a, const char *model, struct tokenizer **out,
                          struct error *err)
{
    char *text = NULL;
    size_t n = 0;
    enum status st = app_model_file(a, model, "tokenizer.json", TOKENIZER_MAX_FILE, &text, &n, err);

    if (!st)
        st = tokenizer_from_json(text, n, "tokenizer.json", out, err);
    free(text);
    return st;
}
