/* plan_load.c - the top level of a blueprint: inputs, models, agents, budget, steps, output.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/plan_load.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/map.h"

#define SCHEMA        "blueprint/v1"
#define DEFAULT_MODEL "embedded"

static void free_subs(struct plan_step *s, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        plan_free(s[i].sub);
        free_subs(s[i].child, s[i].n_children);
        free_subs(s[i].otherwise, s[i].n_otherwise);
    }
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    free_subs(p->step, p->n_steps);
    while (p->values) {
        struct plan_value *v = p->values;

        p->values = plan_value_next(v);
        plan_value_deinit(v);
    }
    jv_unref(p->keep);
    jv_unref(p->effective);
    yaml_free(p->yaml);
    arena_free(p->arena);
    free(p);
}

static enum status check_schema(struct plan_loader *l, const struct yaml_node *root)
{
    const struct yaml_node *schema = yaml_get(root, "schema");

    if (!schema)
        return PLAN_FAULT(l, root, "a blueprint must begin with `schema: %s`", SCHEMA);
    if (yaml_node_kind(schema) != YAML_SCALAR || strcmp(yaml_text_of(schema), SCHEMA) != 0)
        return PLAN_FAULT(l, schema, "unknown schema \"%.40s\"; this program reads %s",
                          yaml_text_of(schema), SCHEMA);
    return STATUS_OK;
}

static enum status load_input(struct plan_loader *l, const struct yaml_node *node,
                              struct plan_input *in)
{
    static const char *const keys[] = {"type", "required", "default", "description"};
    static const char *const types[] = {"string",  "integer", "number",
                                        "boolean", "array",   "object"};
    const struct yaml_node *otherwise;
    struct error fault = ERROR_INIT;
    struct json *given, *complete = NULL;
    int type = 0;
    enum status st = part_mapping(l, node, "an input");

    if (!st)
        st = yaml_check_keys(l->plan->yaml, node, keys, ARRAY_LEN(keys), l->err);
    if (!st && !yaml_get(node, "type"))
        st = PLAN_FAULT(l, node, "input `%s` needs `type`", in->name);
    if (!st)
        st = part_word(l, node, "type", types, ARRAY_LEN(types), &type);
    if (!st)
        st = part_bool(l, node, "required", &in->required);
    if (!st)
        st = part_string(l, node, "description", &in->description);
    in->type = types[type];
    otherwise = yaml_get(node, "default");
    if (st || !otherwise)
        return st;
    if (in->required)
        return PLAN_FAULT(l, otherwise, "input `%s` is required, so it cannot have a default",
                          in->name);
    /* Checks the default like a given value. */
    in->otherwise = plan_keep(l, yaml_to_json(otherwise));
    given = jv_object();
    jv_set_adopt(given, in->name, jv_ref(in->otherwise));
    if (plan_inputs(&(struct plan){.input = in, .n_inputs = 1}, given, &complete, &fault))
        st = PLAN_FAULT(l, otherwise, "%s", fault.message);
    jv_unref(complete);
    jv_unref(given);
    return st;
}

static enum status load_inputs(struct plan_loader *l, const struct yaml_node *node)
{
    const struct yaml_node *value;
    enum status st = STATUS_OK;
    const char *name;

    if (!node)
        return STATUS_OK;
    st = part_mapping(l, node, "`inputs`");
    if (st)
        return st;
    l->plan->input = arena_alloc(l->plan->arena, (yaml_size(node) + 1) * sizeof(struct plan_input));
    for (size_t i = 0; !st && (name = yaml_key_at(node, i, NULL, &value)) != NULL; i++) {
        struct plan_input *in = &l->plan->input[l->plan->n_inputs++];

        in->name = name;
        st = load_input(l, value, in);
    }
    return st;
}

static enum status load_models(struct plan_loader *l, const struct yaml_node *node)
{
    const struct yaml_node *value;
    enum status st = STATUS_OK;
    const char *key;

    l->plan->models = plan_keep(l, jv_object());
    if (!node)
        return STATUS_OK;
    st = part_mapping(l, node, "`models`");
    for (size_t i = 0; !st && (key = yaml_key_at(node, i, NULL, &value)) != NULL; i++) {
        const char *name = NULL;

        st = part_string(l, node, key, &name);
        if (!st && !*name)
            st = PLAN_FAULT(l, value, "model `%s` has no name", key);
        if (!st)
            jv_set_string(l->plan->models, key, name);
    }
    return st;
}

static enum status load_tools(struct plan_loader *l, const struct yaml_node *node,
                              struct plan_agent *a)
{
    const struct yaml_node *list = yaml_get(node, "tools");
    const char **names;

    if (!list)
        return STATUS_OK;
    if (yaml_node_kind(list) != YAML_SEQUENCE)
        return PLAN_FAULT(l, list, "`tools` takes a list of names");
    names = arena_alloc(l->plan->arena, (yaml_size(list) + 1) * sizeof(*names));
    for (size_t i = 0; i < yaml_size(list); i++) {
        const struct yaml_node *at = yaml_at(list, i);

        if (yaml_node_kind(at) != YAML_SCALAR || !*yaml_text_of(at))
            return PLAN_FAULT(l, at, "the name of a tool must be text");
        names[a->n_tools++] = yaml_text_of(at);
    }
    a->tools = names;
    return STATUS_OK;
}

/* A key of `models`, or the name of a model: "embedded", a path, a URL, kind:name, or a name that
 * the configuration may have. Whether a model has that name is found out when it is opened; only
 * what looks like a slip of the pen is refused here. */
static enum status check_model(struct plan_loader *l, const struct yaml_node *node,
                               const char *model)
{
    const char *names[64];
    const char *key, *near;
    size_t n = 0;

    if (jv_get(l->plan->models, model) || strcmp(model, DEFAULT_MODEL) == 0 ||
        strpbrk(model, "/:."))
        return STATUS_OK;
    names[n++] = DEFAULT_MODEL;
    for (void *it = NULL; (it = jv_next(l->plan->models, it, &key, NULL)) != NULL;) {
        if (n < ARRAY_LEN(names))
            names[n++] = key;
    }
    near = nearest_word(model, names, n);
    return near ? PLAN_FAULT(l, node, "unknown model `%.80s`; did you mean `%s`?", model, near)
                : STATUS_OK;
}

static enum status load_agent(struct plan_loader *l, const struct yaml_node *node,
                              struct plan_agent *a)
{
    static const char *const keys[] = {"role",   "model",       "prompt",    "tools",
                                       "budget", "temperature", "max_tokens"};
    int64_t max_tokens = 0;
    enum status st = part_mapping(l, node, "an agent");

    if (!st)
        st = yaml_check_keys(l->plan->yaml, node, keys, ARRAY_LEN(keys), l->err);
    a->role = a->name;
    a->model = DEFAULT_MODEL;
    a->temperature = -1;
    a->node = node;
    if (!st)
        st = part_string(l, node, "role", &a->role);
    if (!st)
        st = part_string(l, node, "model", &a->model);
    if (!st)
        st = check_model(l, yaml_get(node, "model"), a->model);
    if (!st)
        st = part_text(l, node, "prompt", &a->prompt);
    if (!st)
        st = load_tools(l, node, a);
    if (!st)
        st = part_budget(l, node, &a->budget);
    if (!st)
        st = part_number(l, node, "temperature", 0, 10, &a->temperature);
    if (!st)
        st = part_int(l, node, "max_tokens", 1, 1 << 20, &max_tokens);
    a->max_tokens = (int32_t)max_tokens;
    /* A prompt is constant, so that the pages of its tokens can be shared. */
    if (!st && a->prompt && !part_file_reference(yaml_get(node, "prompt")) &&
        strstr(a->prompt, "${"))
        st = PLAN_FAULT(l, yaml_get(node, "prompt"),
                        "a prompt cannot contain ${...}; pass values with `in` of the step");
    return st;
}

static enum status load_agents(struct plan_loader *l, const struct yaml_node *node)
{
    const struct yaml_node *value;
    enum status st = STATUS_OK;
    const char *name;

    if (!node)
        return STATUS_OK;
    st = part_mapping(l, node, "`agents`");
    if (st)
        return st;
    l->plan->agent = arena_alloc(l->plan->arena, (yaml_size(node) + 1) * sizeof(struct plan_agent));
    for (size_t i = 0; !st && (name = yaml_key_at(node, i, NULL, &value)) != NULL; i++) {
        struct plan_agent *a = &l->plan->agent[l->plan->n_agents++];

        a->name = name;
        st = load_agent(l, value, a);
    }
    return st;
}

static enum status load_top(struct plan_loader *l, const struct yaml_node *root)
{
    static const char *const keys[] = {"schema", "inputs", "models", "agents",
                                       "budget", "steps",  "output"};
    enum status st = part_mapping(l, root, "a blueprint");

    if (!st)
        st = yaml_check_keys(l->plan->yaml, root, keys, ARRAY_LEN(keys), l->err);
    if (!st)
        st = check_schema(l, root);
    if (!st)
        st = load_inputs(l, yaml_get(root, "inputs"));
    if (!st)
        st = load_models(l, yaml_get(root, "models"));
    if (!st)
        st = load_agents(l, yaml_get(root, "agents"));
    if (!st)
        st = part_budget(l, root, &l->plan->budget);
    if (!st && !yaml_get(root, "steps"))
        st = PLAN_FAULT(l, root, "a blueprint needs `steps`");
    if (!st)
        st = plan_steps_load(l, yaml_get(root, "steps"), &l->plan->step, &l->plan->n_steps);
    if (!st && yaml_get(root, "output"))
        st = plan_value_load(l, yaml_get(root, "output"), &l->plan->output);
    return st ? st : plan_check_references(l);
}

static const char *name_of(struct arena *arena, const char *file)
{
    const char *slash = strrchr(file, '/');
    const char *base = slash ? slash + 1 : file;
    const char *dot = strrchr(base, '.');

    return arena_strndup(arena, base, dot && dot > base ? (size_t)(dot - base) : strlen(base));
}

enum status plan_load(struct plan_files *files, const char *name, int depth, struct plan **out,
                      struct error *err)
{
    struct plan *p = xcalloc(1, sizeof(*p));
    struct plan_loader l = {.plan = p, .files = files, .file = name, .depth = depth, .err = err};
    struct str display = STR_INIT;
    const char *text = NULL;
    enum status st;

    p->arena = arena_new((size_t)4 << 10);
    p->keep = jv_array();
    plan_files_display(files, name, &display);
    p->file = arena_strdup(p->arena, str_cstr(&display));
    p->name = name_of(p->arena, name);
    p->folder = plan_files_folder(files, name, p->arena);
    str_deinit(&display);
    st = plan_files_text(files, name, &text, err);
    if (!st)
        st = yaml_parse(text, strlen(text), p->file, &p->yaml, err);
    if (!st)
        st = load_top(&l, yaml_root(p->yaml));
    if (st) {
        plan_free(p);
        return st;
    }
    *out = p;
    return STATUS_OK;
}

static enum status load_root(struct plan_files *files, const char *root, struct plan **out,
                             struct error *err)
{
    struct str canonical = STR_INIT;
    struct plan *p = NULL;
    enum status st = plan_load(files, root, 0, &p, err);

    if (!st) {
        struct json *texts = plan_files_effective(files, root);

        jv_remove(texts, "folder"); /* the same texts in another folder are the same blueprint */
        jv_write_canonical(texts, &canonical);
        p->hash = sha256_of(str_cstr(&canonical), canonical.len);
        p->effective = plan_files_effective(files, root);
        jv_unref(texts);
        *out = p;
    }
    str_deinit(&canonical);
    plan_files_free(files);
    return st;
}

enum status blueprint_load(const char *path, struct plan **out, struct error *err)
{
    struct plan_files *files = NULL;
    const char *root = NULL;
    enum status st = plan_files_open(path, &files, &root, err);

    if (!st)
        st = load_root(files, root, out, err);
    return error_as_config(st, err);
}

enum status blueprint_from_text(const char *name, const char *text, const char *folder,
                                struct plan **out, struct error *err)
{
    return error_as_config(load_root(plan_files_from_text(name, text, folder), name, out, err),
                           err);
}

enum status blueprint_from_effective(const struct json *effective, struct plan **out,
                                     struct error *err)
{
    struct plan_files *files = NULL;
    const char *root = NULL;
    enum status st = plan_files_from_effective(effective, &files, &root, err);

    return st ? st : load_root(files, root, out, err);
}

const struct plan_agent *plan_agent_find(const struct plan *p, const char *name)
{
    for (int32_t i = 0; i < p->n_agents; i++) {
        if (strcmp(p->agent[i].name, name) == 0)
            return &p->agent[i];
    }
    return NULL;
}

const char *plan_agent_model(const struct plan *p, const struct plan_agent *a)
{
    return jv_get_string(jv_get(p->models, a->model), a->model);
}
