/* fuzz_mcp_config.c - any text as a file of MCP servers: notes with places, servers that can be
 * started or say why not, and edits that change nothing else.
 *
 * The first byte chooses: troupe.yaml, or JSON, with or without comments.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mcp/config/mcp_config.h"
#include "mcp/config/mcp_config_edit.h"
#include "mcp/config/mcp_launch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static enum status answer(void *ctx, const struct mcp_input *input, struct str *out,
                          struct error *err)
{
    (void)ctx, (void)err;
    str_puts(out, input->n_options ? input->option[0] : "answer");
    return STATUS_OK;
}

static void check_server(const struct mcp_server_spec *s, const struct mcp_inputs *inputs)
{
    struct mcp_launch l = {0};
    struct error err = ERROR_INIT;
    enum status st;

    if (!s->problem && (s->transport == MCP_STDIO ? !s->command : !s->url))
        abort();
    if (s->problem && (!s->problem->where[0] || !s->problem->message[0]))
        abort();
    if (!s->problem && mcp_launch_ask(s, inputs, answer, NULL, &err))
        abort();
    st = mcp_launch_resolve(s, inputs, &l, &err);
    if (st == STATUS_WAITING || (st && (!err.message[0] || !err.where[0])))
        abort();
    mcp_launch_deinit(&l);
}

static void check_config(const struct mcp_config_options *o)
{
    struct mcp_config *c = mcp_config_load(o);
    const struct mcp_notes *notes = mcp_config_notes(c);

    for (size_t i = 0; i < notes->n; i++)
        if (!notes->note[i].text[0] || !notes->note[i].where[0])
            abort();
    for (size_t i = 0; i < mcp_config_size(c); i++) {
        const struct mcp_server_spec *s = mcp_config_at(c, i);

        if (mcp_config_find(c, s->name) != s)
            abort();
        check_server(s, o->inputs);
    }
    mcp_config_free(c);
}

/* A server that is added and removed again leaves the same meaning. */
static void check_edit(const char *text, size_t n, const struct json *root)
{
    static const char key[] = "fuzz-added";
    struct str added = STR_INIT, removed = STR_INIT;
    struct json *entry = jv_object(), *expected = jv_deep_copy(root), *again = NULL;
    struct error err = ERROR_INIT;
    const struct json *list = jv_get(root, "mcpServers");

    if ((!list || jv_kind(list) == JV_OBJECT) && !jv_get(list, key)) {
        if (mcp_edit_text(text, n, "mcpServers", key, entry, &added, &err) ||
            mcp_edit_text(str_cstr(&added), added.len, "mcpServers", key, NULL, &removed, &err)) {
            /* An object that comments alone fill is not worth more code: an error, no damage. */
            if (err.status != STATUS_FAILED && err.status != STATUS_LIMIT &&
                err.status != STATUS_INVALID)
                abort();
        } else {
            if (!list)
                jv_set_adopt(expected, "mcpServers", jv_object());
            mcp_source_blank_comments(removed.data, removed.len);
            if (jv_parse(removed.data, removed.len, "edited", &again, &err) ||
                !jv_equal(again, expected))
                abort();
        }
    }
    jv_unref(again);
    jv_unref(expected);
    jv_unref(entry);
    str_deinit(&added);
    str_deinit(&removed);
}

static void check_text(const char *name, const char *text, size_t n)
{
    char *copy = malloc(n + 1);
    struct mcp_source *s = NULL;
    struct error err = ERROR_INIT;

    memcpy(copy, text, n + 1);
    if (mcp_source_from_json(name, copy, n, "/w", &s, &err)) {
        if (err.status != STATUS_CONFIG || !err.where[0] || !err.message[0])
            abort();
        return;
    }
    check_edit(text, n, s->root);
    mcp_source_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct mcp_inputs inputs = {0};
    struct mcp_config_options o = {.workspace = "/w", .inputs = &inputs};
    char path[64], *text;
    int fd;

    if (n == 0)
        return 0;
    fd = memfd_create("fuzz", MFD_CLOEXEC);
    text = calloc(1, n);
    if (fd < 0 || !text || write(fd, data + 1, n - 1) != (ssize_t)(n - 1))
        abort();
    memcpy(text, data + 1, n - 1);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (data[0] == 'y')
        o.project_yaml = path;
    else
        o.project_json = path;
    check_config(&o);
    check_text(data[0] == 'c' ? "mcp.json" : ".mcp.json", text, n - 1);
    close(fd);
    free(text);
    mcp_inputs_deinit(&inputs);
    return 0;
}
