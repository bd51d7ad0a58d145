/* mcp_files.h - configuration files of MCP servers in a folder of their own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_MCP_FILES_H
#define TROUPE_TESTS_MCP_FILES_H

#include "mcp/config/mcp_config.h"
#include "tests/support/temp_dir.h"

struct mcp_files {
    char folder[64];
    char path[4][128]; /* .mcp.json, troupe.yaml, user.yaml, user.json */
    struct mcp_inputs inputs;
};

static inline void mcp_files_init(struct mcp_files *f)
{
    static const char *const names[] = {".mcp.json", "troupe.yaml", "user.yaml", "user.json"};

    *f = (struct mcp_files){0};
    temp_dir(f->folder);
    for (size_t i = 0; i < 4; i++)
        (void)snprintf(f->path[i], sizeof(f->path[i]), "%s/%s", f->folder, names[i]);
}

static inline void mcp_files_deinit(struct mcp_files *f)
{
    mcp_inputs_deinit(&f->inputs);
    temp_dir_remove(f->folder);
}

/* Writes the i-th file; NULL removes it. */
static inline void mcp_files_put(struct mcp_files *f, int i, const char *text)
{
    if (text)
        temp_put(f->path[i], text, strlen(text));
    else
        (void)unlink(f->path[i]);
}

static inline struct mcp_config *mcp_files_load(struct mcp_files *f)
{
    struct mcp_config_options o = {.project_json = f->path[0],
                                   .project_yaml = f->path[1],
                                   .user_yaml = f->path[2],
                                   .user_json = f->path[3],
                                   .workspace = f->folder,
                                   .inputs = &f->inputs};

    return mcp_config_load(&o);
}

/* Is there a note of this level at this place ("3:5" of a file) with these words? */
static inline bool mcp_files_has_note(const struct mcp_config *c, enum mcp_note_level level,
                                      const char *place, const char *words)
{
    const struct mcp_notes *notes = mcp_config_notes(c);

    for (size_t i = 0; i < notes->n; i++) {
        size_t n = strlen(notes->note[i].where), m = strlen(place);

        if (notes->note[i].level == level && strstr(notes->note[i].text, words) && n >= m &&
            strcmp(notes->note[i].where + n - m, place) == 0)
            return true;
    }
    for (size_t i = 0; i < notes->n; i++)
        print_message("%d %s: %s\n", (int)notes->note[i].level, notes->note[i].where,
                      notes->note[i].text);
    return false;
}

#endif
