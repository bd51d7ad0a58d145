/* cmd_models.c - models list and show: the models on this machine and those of the configuration,
 * the shapes of one. A remote model is shown as the configuration has it, without its secrets;
 * nothing is sent to its server.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/api/model_file.h"
#include "runtime/api/model_set.h"
#include "runtime/app/app_model.h"
#include "runtime/app/app_tokenizer.h"
#include "runtime/app/table.h"
#include "runtime/base/home.h"
#include "runtime/base/memory.h"

struct model_list {
    struct app *app;
    struct table *table;
    struct json *rows;
};

/* What a file that is a whole model says besides its config. */
struct weights_facts {
    int64_t parameters; /* of a folder: computed from the config */
    struct json *types; /* of a GGUF: {"Q4_K": tensors, ...}; else NULL */
    int32_t parts;
};

static void read_facts(const struct gguf *g, const struct model_config *c,
                       struct weights_facts *out)
{
    *out = (struct weights_facts){.parameters = model_config_n_parameters(c)};
    if (!g)
        return;
    out->parameters = 0;
    out->types = jv_object();
    out->parts = gguf_n_parts(g);
    for (int32_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);

        out->parameters += t->n_elements;
        jv_set_int(out->types, t->type->name, jv_get_int(jv_get(out->types, t->type->name), 0) + 1);
    }
}

/* Shapes come from config.json or the keys of a GGUF; the weights are not read. */
static enum status read_config(struct app *a, const char *name, struct model_config *c,
                               struct weights_facts *facts, struct error *err)
{
    struct model_source *files = NULL;
    enum status st = app_model_files(a, name, &files, err);

    if (!st)
        st = model_source_config(files, c, err);
    if (!st)
        read_facts(model_source_gguf(files), c, facts);
    else
        error_note(err, "model %s", name);
    model_source_close(files);
    return st;
}

static void add_model(struct model_list *l, const char *name)
{
    struct model_config c;
    struct error err = ERROR_INIT;
    struct json *o = jv_object();
    char params[32] = "-", context[32] = "-";
    struct weights_facts facts = {.types = NULL};
    enum status st = read_config(l->app, name, &c, &facts, &err);

    jv_set_string(o, "name", name);
    if (st) {
        jv_set_string(o, "error", err.message);
    } else {
        snprintf(params, sizeof(params), "%.2f M", (double)facts.parameters / 1e6);
        snprintf(context, sizeof(context), "%d", c.max_position_embeddings);
        jv_set_string(o, "architecture", c.architecture);
        jv_set_int(o, "parameters", facts.parameters);
        jv_set_int(o, "context", c.max_position_embeddings);
        jv_set_string(o, "dtype", dtype_name(c.dtype));
        jv_set_string(o, "codec", c.codec[0] ? c.codec : "json");
    }
    const char *cells[] = {name,    st ? "-" : c.architecture,
                           params,  st ? "-" : dtype_name(c.dtype),
                           context, st ? err.message : c.codec[0] ? c.codec : "json"};
    table_row(l->table, cells);
    jv_append_adopt(l->rows, o);
    jv_unref(facts.types);
}

static void add_named(void *ctx, const char *name)
{
    add_model(ctx, name);
}

/* ---- remote models */

static void set_price(struct json *price, const char *key, double dollars)
{
    if (dollars >= 0)
        jv_set_real(price, key, dollars);
}

/* In the keys of `models:`. The key and the headers may hold secrets. */
static struct json *remote_json(const struct remote_spec *s)
{
    struct json *o = jv_object(), *price = jv_object();

    jv_set_string(o, "url", s->url);
    jv_set_string(o, "model", s->model);
    jv_set_bool(o, "has_key", s->key || s->headers);
    if (s->context > 0)
        jv_set_int(o, "context", s->context);
    set_price(price, "input", s->price_input);
    set_price(price, "cached", s->price_cached);
    set_price(price, "output", s->price_output);
    if (jv_size(price) > 0)
        jv_set_adopt(o, "price", jv_ref(price));
    jv_unref(price);
    return o;
}

static void add_remote(void *ctx, const char *name, const struct remote_spec *s)
{
    struct model_list *l = ctx;
    struct json *o = remote_json(s);
    struct str at = STR_INIT;
    char context[32] = "-";

    if (s->context > 0)
        snprintf(context, sizeof(context), "%d", s->context);
    str_printf(&at, "%s at %s", s->model, s->url);
    const char *cells[] = {name, "remote", "-", "-", context, str_cstr(&at)};
    table_row(l->table, cells);
    jv_set_string(o, "name", name);
    jv_append_adopt(l->rows, o);
    str_deinit(&at);
}

static int list_main(void *app)
{
    static const char *const columns[] = {"model", "architecture", ">parameters",
                                          "type",  ">context",     "codec"};
    struct app *a = app;
    struct model_list l = {.app = a, .table = table_new(columns, 6), .rows = jv_array()};
    struct str out = STR_INIT;
    int code;

    if (embedded_file_at(0))
        add_model(&l, "embedded");
    model_known_each(add_named, &l);
    model_cache_each(add_named, &l);
    remote_specs_each(a->remote, add_remote, &l);
    if (a->json) {
        struct json *doc = app_document("models");
        jv_set_adopt(doc, "models", jv_ref(l.rows));
        code = app_print_json(doc);
    } else {
        table_write(l.table, &out);
        code = app_print(&out);
    }
    jv_unref(l.rows);
    table_free(l.table);
    str_deinit(&out);
    return code;
}

const struct command_spec cmd_models_list = {"models list",
                                             "models",
                                             "",
                                             "list models: the embedded one, those that `models "
                                             "get` fetched, the local Hugging Face cache, and "
                                             "those of troupe.yaml",
                                             NULL,
                                             NULL,
                                             0,
                                             0,
                                             list_main};

static void put_plan(const struct engine_plan *p, struct str *out)
{
    const double mib = 1048576;

    str_printf(out,
               "\nmemory plan\n  weights      %10.2f MiB\n  KV pages     %10.2f MiB (%d pages)\n"
               "  activations  %10.2f MiB\n  sessions     %10.2f MiB\n  total        %10.2f MiB of "
               "%.0f MiB free\n",
               (double)p->weights_bytes / mib, (double)p->kv_bytes / mib, p->n_pages,
               (double)p->activations_bytes / mib, (double)p->sessions_bytes / mib,
               (double)p->total_bytes / mib, (double)p->available_bytes / mib);
}

static struct json *config_json(const struct model_config *c, const struct weights_facts *facts)
{
    struct json *o = jv_object();

    jv_set_string(o, "architecture", c->architecture);
    jv_set_int(o, "parameters", facts->parameters);
    jv_set_int(o, "hidden_size", c->hidden_size);
    jv_set_int(o, "intermediate_size", c->intermediate_size);
    jv_set_int(o, "layers", c->n_layers);
    jv_set_int(o, "heads", c->n_heads);
    jv_set_int(o, "kv_heads", c->n_kv_heads);
    jv_set_int(o, "head_dim", c->head_dim);
    jv_set_int(o, "vocab", c->vocab_size);
    jv_set_int(o, "context", c->max_position_embeddings);
    jv_set_real(o, "rope_theta", c->rope_theta);
    jv_set_bool(o, "tied", c->tie_word_embeddings);
    jv_set_string(o, "dtype", dtype_name(c->dtype));
    jv_set_string(o, "codec", c->codec[0] ? c->codec : "json");
    if (c->rope.kind != ROPE_DEFAULT)
        jv_set_string(o, "rope_type", rope_kind_name(c->rope.kind));
    if (c->window > 0)
        jv_set_int(o, "window", c->window);
    if (facts->types)
        jv_set_adopt(o, "types", jv_ref(facts->types));
    if (facts->parts > 1)
        jv_set_int(o, "parts", facts->parts);
    return o;
}

/* The name and all members of `shown`, as a document and as text. */
static void put_members(const char *name, const struct json *shown, struct json *doc,
                        struct str *out)
{
    const char *key;
    struct json *value;

    jv_set_string(doc, "name", name);
    str_printf(out, "%s\n", name);
    for (void *it = NULL; (it = jv_next(shown, it, &key, &value));) {
        char *text = jv_dump(value);
        jv_set_adopt(doc, key, jv_ref(value));
        str_printf(out, "  %-18s %s\n", key, text);
        free(text);
    }
}

static int show_remote(struct app *a, const char *name)
{
    const struct remote_spec *s = remote_specs_get(a->remote, name);
    struct remote_spec own = {.url = NULL};
    struct error err = ERROR_INIT;
    struct json *doc, *shown;
    struct str out = STR_INIT;
    int code;

    if (!s && remote_spec_from_name(name, &own, &err))
        return app_fail(a, &err);
    doc = app_document("model");
    shown = remote_json(s ? s : &own);
    put_members(name, shown, doc, &out);
    if (a->json) {
        code = app_print_json(doc);
    } else {
        jv_unref(doc);
        code = app_print(&out);
    }
    jv_unref(shown);
    remote_spec_deinit(&own);
    str_deinit(&out);
    return code;
}

static int show_main(void *app)
{
    struct app *a = app;
    const char *name = options_arg(a->options, 0);
    struct model_config c;
    struct engine_options eo;
    struct engine_plan plan;
    struct weights_facts facts = {.types = NULL};
    char folder[1024];
    struct error err = ERROR_INIT, cannot = ERROR_INIT;
    struct str out = STR_INIT;
    int code;
    enum status st, planned = STATUS_OK;

    if (remote_is_name(a->remote, name))
        return show_remote(a, name);
    st = model_name_check(a->remote, name, NULL, &err);
    if (!st)
        st = read_config(a, name, &c, &facts, &err);
    if (!st)
        st = app_engine_options(a, name, folder, &eo, &err);
    if (!st)
        planned = engine_plan(&eo, &plan, &cannot);
    if (planned && planned != STATUS_UNSUPPORTED) {
        st = planned;
        err = cannot;
    }
    if (st) {
        jv_unref(facts.types);
        return app_fail(a, &err);
    }
    struct json *doc = app_document("model"), *config = config_json(&c, &facts);
    if (planned) /* of a family that is only read */
        jv_set_string(config, "cannot_run", cannot.message);
    put_members(name, config, doc, &out);
    jv_unref(config);
    if (a->json) {
        if (!planned)
            jv_set_int(doc, "total_bytes", plan.total_bytes);
        code = app_print_json(doc);
    } else {
        jv_unref(doc);
        if (!planned)
            put_plan(&plan, &out);
        code = app_print(&out);
    }
    jv_unref(facts.types);
    str_deinit(&out);
    return code;
}

static const enum option_id show_options[] = {
    OPT_KV_MEMORY, OPT_CONTEXT, OPT_WEIGHT_TYPE, OPT_KV_TYPE, OPT_CPU_ISA, OPT_DEVICE, OPT_END};
const struct command_spec cmd_models_show = {
    "models show",
    "models",
    "M",
    "show the shapes of a model and the memory that it needs, or what a remote one is",
    NULL,
    show_options,
    1,
    1,
    show_main};
