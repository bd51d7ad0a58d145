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

static char *place_of(const struct yaml *y, const struct yaml_node *node)
{
    struct str where = STR_INIT;

    str_printf(&where, "%s:%d:%d", yaml_name(y), yaml_line(node), yaml_column(node));
    return str_take(&where);
}

static void add_offer(struct serve_config *c, const char *kind, const char *name,
                      const struct serve_offer *adopt)
{
    struct serve_offer *o;
    struct str full = STR_INIT;

    c->offer = xrealloc(c->offer, ((size_t)c->n_offers + 1) * sizeof(*c->offer));
    o = &c->offer[c->n_offers++];
    str_printf(&full, "%s/%s", kind, name);
    *o = *adopt;
    o->name = str_take(&full);
}

/* ---- blueprints */

static const struct plan_input *input_named(const struct plan *p, const char *name)
{
    for (int32_t i = 0; i < p->n_inputs; i++)
        if (strcmp(p->input[i].name, name) == 0)
            return &p->input[i];
    return NULL;
}

/* The only required input, else the only one; NULL: none is the only one. */
static const struct plan_input *only_input(const struct plan *p)
{
    const struct plan_input *found = NULL;

    for (int32_t i = 0; i < p->n_inputs; i++) {
        if (!p->input[i].required)
            continue;
        if (found)
            return NULL;
        found = &p->input[i];
    }
    return found ? found : p->n_inputs == 1 ? &p->input[0] : NULL;
}

/* An input that must be given, but does not get the message. */
static const struct plan_input *left_out(const struct plan *p, const struct plan_input *message)
{
    for (int32_t i = 0; i < p->n_inputs; i++)
        if (p->input[i].required && &p->input[i] != message)
            return &p->input[i];
    return NULL;
}

/* Why a message alone cannot start a run of the blueprint, in `out`; "": it can. `message`: the
 * input that gets it, or NULL. */
static void put_obstacle(const struct plan *p, const struct plan_input *message, struct str *out)
{
    const struct plan_input *other = left_out(p, message);

    if (!message && p->n_inputs > 0)
        str_printf(out, "it has %d inputs, and `input` does not name the one for the message",
                   p->n_inputs);
    else if (other)
        str_printf(out, "its input \"%.60s\" is required, too", other->name);
    else if (message && strcmp(message->type, "string") != 0 && strcmp(message->type, "array") != 0)
        str_printf(out, "its input \"%.60s\" is of type %s, not string or array", message->name,
                   message->type);
}

/* The input that gets the message: the named one, else the only one. If it cannot, that is an
 * error if it was named; else /v1 does not offer the blueprint. */
static enum status choose_input(const struct yaml *y, const struct yaml_node *node,
                                struct serve_offer *o, struct error *err)
{
    const struct yaml_node *given = yaml_get(node, "input");
    const struct plan_input *found;
    struct str why = STR_INIT;
    enum status st = STATUS_OK;

    if (given && yaml_node_kind(given) != YAML_SCALAR)
        return yaml_error(err, y, given, "`input` takes the name of an input");
    found = given ? input_named(o->plan, yaml_text_of(given)) : only_input(o->plan);
    if (given && !found)
        return yaml_error(err, y, given, "the blueprint has no input \"%.60s\"",
                          yaml_text_of(given));
    put_obstacle(o->plan, found, &why);
    if (given && why.len > 0)
        st = yaml_error(err, y, given,
                        "a message cannot start the blueprint: %s; without `input` it is offered "
                        "for /api/runs only",
                        str_cstr(&why));
    else if (why.len > 0)
        o->api_only = xstrdup(str_cstr(&why));
    else if (found)
        o->input = xstrdup(found->name);
    str_deinit(&why);
    return st;
}

static enum status add_blueprint(struct serve_config *c, const struct yaml *y, const char *name,
                                 const struct yaml_node *node, const char *folder,
                                 struct error *err)
{
    static const char *const keys[] = {"file", "input"};
    const struct yaml_node *file = yaml_get(node, "file");
    struct serve_offer o = {.input = NULL};
    struct str path = STR_INIT;
    struct error why = ERROR_INIT;
    enum status st = yaml_check_keys(y, node, keys, ARRAY_LEN(keys), err);

    if (!st && (!file || yaml_node_kind(file) != YAML_SCALAR))
        st = yaml_error(err, y, node, "a blueprint needs `file`");
    if (st)
        return st;
    if (yaml_text_of(file)[0] != '/')
        str_printf(&path, "%s/", folder);
    str_puts(&path, yaml_text_of(file));
    st = blueprint_load(str_cstr(&path), &o.plan, &why);
    str_deinit(&path);
    if (st && why.where[0])
        *err = why; /* within the blueprint */
    else if (st)
        st = yaml_error(err, y, file, "%s", why.message);
    if (!st)
        st = choose_input(y, node, &o, err);
    if (st) {
        plan_free(o.plan);
        return st;
    }
    o.where = place_of(y, node);
    add_offer(c, "blueprint", name, &o);
    return STATUS_OK;
}

/* ---- agents */

/* The blueprint that offers one agent; `agent` is its mapping in the configuration. */
static char *agent_text(const char *name, const struct json *agent)
{
    struct json *doc = jv_object(), *agents = jv_object(), *inputs = jv_object();
    struct json *messages = jv_object(), *question = jv_object(), *steps = jv_object();
    struct json *step = jv_object();
    char *text;

    jv_set_adopt(agents, name, jv_deep_copy(agent));
    jv_set_string(messages, "type", "array");
    jv_set_adopt(messages, "default", jv_array());
    jv_set_string(question, "type", "string");
    jv_set_adopt(question, "required", jv_bool(true));
    jv_set_adopt(inputs, "history", messages);
    jv_set_adopt(inputs, "question", question);
    jv_set_string(step, "agent", name);
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

static enum status add_agent(struct serve_config *c, const struct yaml *y, const char *name,
                             const struct yaml_node *node, const char *folder, struct error *err)
{
    struct json *agent = yaml_to_json(node);
    char *text = agent_text(name, agent);
    struct str file = STR_INIT;
    struct error why = ERROR_INIT;
    struct serve_offer o = {.is_agent = true};
    enum status st;

    str_printf(&file, "%s.yaml", name);
    st = blueprint_from_text(str_cstr(&file), text, folder, &o.plan, &why);
    str_deinit(&file);
    if (st) {
        st = yaml_error(err, y, node, "agent %s: %.*s", name, (int)strcspn(why.message, "\n"),
                        why.message);
    } else {
        o.input = xstrdup("question");
        o.where = place_of(y, node);
        add_offer(c, "agent", name, &o);
    }
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
    bool is_agent = add == add_agent;
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
            st = yaml_error(err, y, value, "expected a mapping, as in {%s}",
                            is_agent ? "model: NAME, prompt: TEXT" : "file: BLUEPRINT");
        else if (!serve_config_find(c, str_cstr(&full)))
            st = add(c, y, name, value, folder, err);
        str_deinit(&full);
    }
    return st;
}

static void add_model(struct serve_config *c, const struct yaml *y, const struct yaml_node *item,
                      const char *folder)
{
    c->model = xrealloc(c->model, ((size_t)c->n_models + 1) * sizeof(*c->model));
    c->model[c->n_models++] = (struct serve_model_name){
        .id = xstrdup(yaml_text_of(item)), .folder = xstrdup(folder), .where = place_of(y, item)};
}

static enum status add_models(struct serve_config *c, const struct yaml *y,
                              const struct yaml_node *list, const char *folder, struct error *err)
{
    if (list && yaml_node_kind(list) != YAML_SEQUENCE)
        return yaml_error(err, y, list, "expected a list of models");
    if (!list || c->models_where)
        return STATUS_OK; /* the more important file has a list */
    c->models_where = place_of(y, list);
    for (size_t i = 0; i < yaml_size(list); i++) {
        const struct yaml_node *item = yaml_at(list, i);

        if (yaml_node_kind(item) != YAML_SCALAR || !*yaml_text_of(item))
            return yaml_error(err, y, item, "expected the name of a model");
        add_model(c, y, item, folder);
    }
    return STATUS_OK;
}

enum status serve_config_add(struct serve_config *c, const struct yaml *y,
                             const struct yaml_node *section, const char *folder, struct error *err)
{
    static const char *const keys[] = {"models", "agents", "blueprints", "oauth"};
    enum status st = yaml_check_keys(y, section, keys, ARRAY_LEN(keys), err);

    if (!st)
        st = serve_oauth_read(&c->oauth, y, yaml_get(section, "oauth"), folder, err);
    if (!st)
        st = add_models(c, y, yaml_get(section, "models"), folder, err);
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
        free(c->offer[i].api_only);
        free(c->offer[i].where);
    }
    for (int32_t i = 0; i < c->n_models; i++) {
        free(c->model[i].id);
        free(c->model[i].folder);
        free(c->model[i].where);
    }
    free(c->offer);
    free(c->model);
    serve_oauth_config_deinit(&c->oauth);
    free(c->models_where);
    *c = (struct serve_config){.offer = NULL};
}
