/* serve_config.c - see serve_config.h.
 *
 * An offered agent is a blueprint of one step, written here as text (JSON is YAML), so that its
 * runs are recorded, resumed and replayed like any other.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/serve/serve_config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

#define MAX_NAME 64

static bool is_word(const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
            return false;
    return n > 0 && n <= MAX_NAME;
}

const struct serve_offer *serve_config_find(const struct serve_config *c, const char *name)
{
    for (int32_t i = 0; i < c->n_offers; i++)
        if (strcmp(c->offer[i].name, name) == 0)
            return &c->offer[i];
    return NULL;
}

static void add_offer(struct serve_config *c, const char *kind, const char *name, struct plan *plan,
                      const char *input)
{
    struct serve_offer *o;
    struct str full = STR_INIT;

    c->offer = xrealloc(c->offer, ((size_t)c->n_offers + 1) * sizeof(*c->offer));
    o = &c->offer[c->n_offers++];
    str_printf(&full, "%s/%s", kind, name);
    *o = (struct serve_offer){.name = str_take(&full),
                              .plan = plan,
                              .input = input ? xstrdup(input) : NULL,
                              .is_agent = strcmp(kind, "agent") == 0};
}

/* ---- blueprints */

static const struct plan_input *input_named(const struct plan *p, const char *name)
{
    for (int32_t i = 0; i < p->n_inputs; i++)
        if (strcmp(p->input[i].name, name) == 0)
            return &p->input[i];
    return NULL;
}

/* The input that gets the message: the named one, else the only one without a default. */
static enum status choose_input(const struct yaml *y, const struct yaml_node *node,
                                const struct plan *p, const char **out, struct error *err)
{
    const struct yaml_node *given = yaml_get(node, "input");
    const struct plan_input *found = given ? input_named(p, yaml_text_of(given)) : NULL;
    int32_t n = 0;

    if (given && !found)
        return yaml_error(err, y, given, "the blueprint has no input \"%.60s\"",
                          yaml_text_of(given));
    for (int32_t i = 0; !given && i < p->n_inputs; i++)
        if (p->input[i].required) {
            found = &p->input[i];
            n++;
        }
    if (n > 1)
        return yaml_error(err, y, node, "the blueprint has %d required inputs: name one as `input`",
                          n);
    if (found && strcmp(found->type, "string") != 0 && strcmp(found->type, "array") != 0)
        return yaml_error(err, y, given ? given : node,
                          "input \"%.60s\" is of type %s; a message needs a string, or an array "
                          "for all messages",
                          found->name, found->type);
    *out = found ? found->name : NULL;
    return STATUS_OK;
}

static enum status add_blueprint(struct serve_config *c, const struct yaml *y, const char *name,
                                 const struct yaml_node *node, const char *folder,
                                 struct error *err)
{
    static const char *const keys[] = {"file", "input"};
    const struct yaml_node *file = yaml_get(node, "file");
    const char *input = NULL;
    struct str path = STR_INIT;
    struct plan *plan = NULL;
    enum status st = yaml_check_keys(y, node, keys, ARRAY_LEN(keys), err);

    if (!st && (!file || yaml_node_kind(file) != YAML_SCALAR))
        st = yaml_error(err, y, node, "a blueprint needs `file`");
    if (st)
        return st;
    if (yaml_text_of(file)[0] != '/')
        str_printf(&path, "%s/", folder);
    str_puts(&path, yaml_text_of(file));
    st = blueprint_load(str_cstr(&path), &plan, err);
    str_deinit(&path);
    if (!st)
        st = choose_input(y, node, plan, &input, err);
    if (st)
        plan_free(plan);
    else
        add_offer(c, "blueprint", name, plan, input);
    return st;
}

/* ---- agents */

/* The blueprint that offers one agent; `agent` is its mapping in the configuration. */
static char *agent_text(const struct json *agent)
{
    struct json *doc = jv_object(), *agents = jv_object(), *inputs = jv_object();
    struct json *messages = jv_object(), *question = jv_object(), *steps = jv_object();
    struct json *step = jv_object();
    char *text;

    jv_set_adopt(agents, "it", jv_deep_copy(agent));
    jv_set_string(messages, "type", "array");
    jv_set_adopt(messages, "default", jv_array());
    jv_set_string(question, "type", "string");
    jv_set_adopt(inputs, "history", messages);
    jv_set_adopt(inputs, "question", question);
    jv_set_string(step, "agent", "it");
    jv_set_string(step, "history", "${inputs.history}");
    jv_set_string(step, "in", "${inputs.question}");
    jv_set_adopt(steps, "reply", step);
    jv_set_string(doc, "schema", "blueprint/v1");
    jv_set_adopt(doc, "inputs", inputs);
    jv_set_adopt(doc, "agents", agents);
    jv_set_adopt(doc, "steps", steps);
    jv_set_string(doc, "output", "${reply}");
    text = jv_dump(doc);
    jv_unref(doc);
    return text;
}

static enum status plan_of_text(const char *name, const char *text, const char *folder,
                                struct plan **out, struct error *err)
{
    struct json *effective = jv_object(), *files = jv_object();
    struct str file = STR_INIT;
    enum status st;

    str_printf(&file, "%s.yaml", name);
    jv_set_string(files, str_cstr(&file), text);
    jv_set_string(effective, "schema", "blueprint-effective/1");
    jv_set_string(effective, "blueprint", str_cstr(&file));
    jv_set_string(effective, "folder", folder);
    jv_set_adopt(effective, "files", files);
    st = blueprint_from_effective(effective, out, err);
    jv_unref(effective);
    str_deinit(&file);
    return st;
}

static enum status add_agent(struct serve_config *c, const struct yaml *y, const char *name,
                             const struct yaml_node *node, const char *folder, struct error *err)
{
    struct json *agent = yaml_to_json(node);
    char *text = agent_text(agent);
    struct error why = ERROR_INIT;
    struct plan *plan = NULL;
    enum status st = plan_of_text(name, text, folder, &plan, &why);

    if (st)
        st = yaml_error(err, y, node, "agent %s: %.*s", name, (int)strcspn(why.message, "\n"),
                        why.message);
    else
        add_offer(c, "agent", name, plan, "question");
    free(text);
    jv_unref(agent);
    return st;
}

/* ---- the section */

typedef enum status (*add_fn)(struct serve_config *c, const struct yaml *y, const char *name,
                              const struct yaml_node *node, const char *folder, struct error *err);

static enum status add_all(struct serve_config *c, const char *kind, add_fn add,
                           const struct yaml *y, const struct yaml_node *list, const char *folder,
                           struct error *err)
{
    enum status st = STATUS_OK;

    if (list && yaml_node_kind(list) != YAML_MAPPING)
        return yaml_error(err, y, list, "expected a mapping of names");
    for (size_t i = 0; list && !st && i < yaml_size(list); i++) {
        const struct yaml_node *key, *value;
        const char *name = yaml_key_at(list, i, &key, &value);
        struct str full = STR_INIT;

        str_printf(&full, "%s/%s", kind, name);
        if (!is_word(name))
            st = yaml_error(err, y, key,
                            "a name is 1 to %d letters, digits, \"-\", \"_\" and \".\"", MAX_NAME);
        else if (yaml_node_kind(value) != YAML_MAPPING)
            st = yaml_error(err, y, value, "expected a mapping");
        else if (!serve_config_find(c, str_cstr(&full)))
            st = add(c, y, name, value, folder, err);
        str_deinit(&full);
    }
    return st;
}

static enum status add_models(struct serve_config *c, const struct yaml *y,
                              const struct yaml_node *list, struct error *err)
{
    if (list && yaml_node_kind(list) != YAML_SEQUENCE)
        return yaml_error(err, y, list, "expected a list of models");
    if (c->n_models > 0)
        return STATUS_OK; /* the more important file has a list */
    for (size_t i = 0; list && i < yaml_size(list); i++) {
        const struct yaml_node *item = yaml_at(list, i);

        if (yaml_node_kind(item) != YAML_SCALAR || !*yaml_text_of(item))
            return yaml_error(err, y, item, "expected the name of a model");
        c->model = xrealloc(c->model, ((size_t)c->n_models + 1) * sizeof(*c->model));
        c->model[c->n_models++] = xstrdup(yaml_text_of(item));
    }
    return STATUS_OK;
}

enum status serve_config_add(struct serve_config *c, const struct yaml *y,
                             const struct yaml_node *section, const char *folder, struct error *err)
{
    static const char *const keys[] = {"models", "agents", "blueprints"};
    enum status st = yaml_check_keys(y, section, keys, ARRAY_LEN(keys), err);

    if (!st)
        st = add_models(c, y, yaml_get(section, "models"), err);
    if (!st)
        st = add_all(c, "agent", add_agent, y, yaml_get(section, "agents"), folder, err);
    if (!st)
        st =
            add_all(c, "blueprint", add_blueprint, y, yaml_get(section, "blueprints"), folder, err);
    return st;
}

void serve_config_deinit(struct serve_config *c)
{
    for (int32_t i = 0; i < c->n_offers; i++) {
        plan_free(c->offer[i].plan);
        free(c->offer[i].name);
        free(c->offer[i].input);
    }
    for (int32_t i = 0; i < c->n_models; i++)
        free(c->model[i]);
    free(c->offer);
    free(c->model);
    *c = (struct serve_config){.offer = NULL};
}
