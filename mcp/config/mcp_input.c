/* mcp_input.c - see mcp_input.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/config/mcp_input.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

static void wipe(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

/* All but file, id and answer. */
static void clear_declaration(struct mcp_input *input)
{
    for (size_t i = 0; i < input->n_options; i++)
        free(input->option[i]);
    free(input->option);
    free(input->description);
    free(input->otherwise);
    input->option = NULL;
    input->n_options = 0;
    input->description = input->otherwise = NULL;
}

void mcp_inputs_deinit(struct mcp_inputs *in)
{
    for (size_t i = 0; i < in->n; i++) {
        clear_declaration(in->input[i]);
        wipe(in->input[i]->answer);
        free(in->input[i]->file);
        free(in->input[i]->id);
        free(in->input[i]);
    }
    free(in->input);
    *in = (struct mcp_inputs){0};
}

struct mcp_input *mcp_inputs_find(const struct mcp_inputs *in, const char *file, const char *id)
{
    for (size_t i = 0; in && i < in->n; i++)
        if (strcmp(in->input[i]->id, id) == 0 && strcmp(in->input[i]->file, file) == 0)
            return in->input[i];
    return NULL;
}

static struct mcp_input *find_or_add(struct mcp_inputs *in, const char *file, const char *id)
{
    struct mcp_input *input = mcp_inputs_find(in, file, id);

    if (input) {
        clear_declaration(input);
        return input;
    }
    input = xcalloc(1, sizeof(*input));
    input->file = xstrdup(file);
    input->id = xstrdup(id);
    in->input = xrealloc(in->input, (in->n + 1) * sizeof(struct mcp_input *));
    in->input[in->n++] = input;
    return input;
}

/* An option is a text, or {label, value}. */
static void take_options(struct mcp_input *input, const struct json *options)
{
    for (size_t i = 0; i < jv_size(options); i++) {
        const struct json *o = jv_at(options, i);
        const char *text = jv_get_string(jv_kind(o) == JV_OBJECT ? jv_get(o, "value") : o, NULL);

        if (!text)
            continue;
        input->option = xrealloc(input->option, (input->n_options + 1) * sizeof(char *));
        input->option[input->n_options++] = xstrdup(text);
    }
}

static void declare_one(struct mcp_inputs *in, const struct mcp_node *item, struct mcp_notes *notes)
{
    const struct json *v = item->value;
    const char *id = jv_get_string(jv_get(v, "id"), "");
    const char *type = jv_get_string(jv_get(v, "type"), "promptString");
    const char *description = jv_get_string(jv_get(v, "description"), "");
    const char *otherwise = jv_get_string(jv_get(v, "default"), NULL);
    struct mcp_input *input;

    if (!*id) {
        mcp_note_at(notes, MCP_CONFIG_WARNING, item, false, "an input needs `id`, a text");
        return;
    }
    if (strcmp(type, "promptString") != 0 && strcmp(type, "pickString") != 0) {
        mcp_note_at(notes, MCP_CONFIG_WARNING, item, false,
                    "input %.60s: type %.40s is not supported; expected promptString or pickString",
                    id, type);
        return;
    }
    input = find_or_add(in, item->source->path, id);
    input->description = xstrdup(*description ? description : id);
    input->otherwise = otherwise ? xstrdup(otherwise) : NULL;
    input->password = jv_get_bool(jv_get(v, "password"), false);
    if (strcmp(type, "pickString") == 0)
        take_options(input, jv_get(v, "options"));
}

void mcp_inputs_declare(struct mcp_inputs *in, const struct mcp_node *list, struct mcp_notes *notes)
{
    struct mcp_node_walk w = mcp_node_walk_of(list);
    struct mcp_node item;

    if (jv_kind(list->value) != JV_ARRAY)
        mcp_note_at(notes, MCP_CONFIG_WARNING, list, false, "inputs: expected an array, got %s",
                    jv_kind_name(jv_kind(list->value)));
    else
        while (notes->n < MCP_NOTES_MAX && mcp_node_next(&w, &item))
            declare_one(in, &item, notes);
}

enum status mcp_input_answer(struct mcp_input *input, const char *answer, struct error *err)
{
    bool listed = input->n_options == 0;

    for (size_t i = 0; i < input->n_options; i++)
        listed = listed || strcmp(input->option[i], answer) == 0;
    if (!listed)
        return error_set(err, STATUS_INVALID,
                         "input %.60s: the answer is not one of the %zu options", input->id,
                         input->n_options);
    wipe(input->answer);
    input->answer = xstrdup(answer);
    return STATUS_OK;
}
