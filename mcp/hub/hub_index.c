/* hub_index.c - see hub_index.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/hub_index.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

struct index {
    struct hub_row *row; /* (n), with copies of the names */
    size_t n;
    struct hub_list **list; /* (n_lists) references */
    size_t n_lists;
    struct tool_search *search; /* NULL: none is here */
    int64_t used;
};
struct hub_indexes {
    struct index at[HUB_INDEXES_MAX];
    int64_t n_used, n_made;
};

/* ---- making one */

/* The texts of one document. */
struct doc_texts {
    struct str title, description;
    struct json *schema;
};

static void read_doc(const struct hub_row *row, struct doc_texts *t, struct tool_search_doc *out)
{
    struct json_view title = json_view_get(row->entry->object, "title");
    struct json_view text = json_view_get(row->entry->object, "description");

    str_init(&t->title, title.n + 1);
    str_init(&t->description, text.n + 1);
    (void)json_view_text(title, &t->title);
    (void)json_view_text(text, &t->description);
    t->schema = json_view_value(json_view_get(row->entry->object, "inputSchema"));
    *out = (struct tool_search_doc){
        .name = row->shown,
        .title = str_cstr(&t->title),
        .description = row->description ? row->description : str_cstr(&t->description),
        .input_schema = t->schema};
}

static enum status make_index(const struct hub_row *rows, size_t n, struct tool_search **out,
                              struct error *err)
{
    struct tool_search_doc *docs = xcalloc(n + 1, sizeof(*docs));
    struct doc_texts *texts = xcalloc(n + 1, sizeof(*texts));
    enum status st;

    for (size_t i = 0; i < n; i++)
        read_doc(&rows[i], &texts[i], &docs[i]);
    st = tool_search_new(docs, n, out, err);
    for (size_t i = 0; i < n; i++) {
        str_deinit(&texts[i].title);
        str_deinit(&texts[i].description);
        jv_unref(texts[i].schema);
    }
    free(texts);
    free(docs);
    return st;
}

/* ---- keeping them */

static void drop(struct index *i)
{
    for (size_t k = 0; k < i->n; k++)
        free(i->row[k].shown);
    for (size_t k = 0; k < i->n_lists; k++)
        hub_list_unref(i->list[k]);
    free(i->row);
    free(i->list);
    tool_search_free(i->search);
    *i = (struct index){.used = -1};
}

struct hub_indexes *hub_indexes_new(void)
{
    return xcalloc(1, sizeof(struct hub_indexes));
}

void hub_indexes_clear(struct hub_indexes *x)
{
    for (int i = 0; i < HUB_INDEXES_MAX; i++)
        drop(&x->at[i]);
}

void hub_indexes_free(struct hub_indexes *x)
{
    if (x)
        hub_indexes_clear(x);
    free(x);
}

int64_t hub_indexes_made(const struct hub_indexes *x)
{
    return x->n_made;
}

static bool is_of(const struct index *i, const struct hub_listed *tools)
{
    if (!i->search || i->n != tools->n)
        return false;
    for (size_t k = 0; k < i->n; k++)
        if (i->row[k].entry != tools->row[k].entry ||
            i->row[k].description != tools->row[k].description ||
            strcmp(i->row[k].shown, tools->row[k].shown) != 0)
            return false;
    return true;
}

static enum status make(struct index *i, const struct hub_listed *tools, struct error *err)
{
    struct index made = {.row = mem_alloc(tools->n + 1, sizeof(*made.row)),
                         .list = mem_alloc(tools->n_lists + 1, sizeof(*made.list))};
    enum status st = !made.row || !made.list
                         ? error_set(err, STATUS_NO_MEMORY, "no memory for an index of the tools")
                         : make_index(tools->row, tools->n, &made.search, err);

    for (; !st && made.n < tools->n; made.n++) {
        made.row[made.n] = tools->row[made.n];
        made.row[made.n].shown = xstrdup(tools->row[made.n].shown);
    }
    for (; !st && made.n_lists < tools->n_lists; made.n_lists++)
        made.list[made.n_lists] = hub_list_ref(tools->list[made.n_lists]);
    drop(st ? &made : i);
    if (!st)
        *i = made;
    return st;
}

enum status hub_index_of(struct hub_indexes *x, const struct hub_listed *tools,
                         const struct tool_search **out, struct error *err)
{
    struct index *i = &x->at[0];
    enum status st;

    for (int k = 0; k < HUB_INDEXES_MAX && !is_of(i, tools); k++)
        i = is_of(&x->at[k], tools) || x->at[k].used < i->used ? &x->at[k] : i;
    if (!is_of(i, tools)) {
        st = make(i, tools, err);
        if (st)
            return st;
        x->n_made++;
    }
    i->used = ++x->n_used;
    *out = i->search;
    return STATUS_OK;
}
