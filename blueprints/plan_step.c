/* plan_step.c - steps, by kind: which keys each may have (kinds.def), and their values.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "blueprints/plan_load.h"
#include "runtime/base/map.h"

#define DEFAULT_PARALLEL 8
#define DEFAULT_HUMAN_MS ((int64_t)7 * 24 * 3600 * 1000)
#define MAX_STEP_KEYS    64
#define MAX_ID_BYTES     64

typedef enum status (*kind_load_fn)(struct plan_loader *l, const struct yaml_node *node,
                                    struct plan_step *s);
struct kind_info {
    const char *word, *keys;
    kind_load_fn load;
};

#define LOADER(word)                                                                               \
    static enum status load_##word(struct plan_loader *l, const struct yaml_node *node,            \
                                   struct plan_step *s);
#define KIND(id, word, keys) LOADER(word)
#define FORM(word, keys)     LOADER(word)
#include "blueprints/kinds.def"
#undef KIND

/* By enum plan_kind, then the forms. */
static const struct kind_info kinds[] = {
#define KIND(id, word, keys) {#word, keys, load_##word},
#define FORM(word, keys)     {#word, keys, load_##word},
#include "blueprints/kinds.def"
#undef KIND
};

#define NO_WORD ((int)ARRAY_LEN(kinds))

const char *plan_kind_name(enum plan_kind k)
{
    return (unsigned)k < PLAN_N_KINDS ? kinds[k].word : "unknown";
}

/* ---- keys */

/* Appends the words of a list, which are separated by blanks, to keys. */
static void add_keys(struct plan_loader *l, const char *list, const char **keys, size_t *n)
{
    char *rest = arena_strdup(l->plan->arena, list);
    char *word;

    while ((word = strsep(&rest, " ")) != NULL) {
        bool there = *word == '\0';

        for (size_t i = 0; !there && i < *n; i++)
            there = strcmp(keys[i], word) == 0;
        if (!there && *n < MAX_STEP_KEYS)
            keys[(*n)++] = word;
    }
}

/* Kinds of steps that have this key besides their own word, as "`agent`, `tool`". */
static bool kinds_with(const char *key, struct str *list)
{
    size_t len = strlen(key);

    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        const char *at = kinds[k].keys;

        while ((at = strstr(at, key)) != NULL &&
               ((at > kinds[k].keys && at[-1] != ' ') || (at[len] && at[len] != ' ')))
            at += len;
        if (at)
            str_printf(list, "%s`%s`", list->len ? ", " : "", kinds[k].word);
    }
    return list->len > 0;
}

/* A key that exists, but not for this kind: `retry` of a `value`. */
static bool foreign_key(struct plan_loader *l, const struct yaml_node *node, int kind,
                        const char *const *allowed, size_t n)
{
    const struct yaml_node *key;
    const char *text;
    bool found = false;

    for (size_t i = 0; !found && (text = yaml_key_at(node, i, &key, NULL)) != NULL; i++) {
        struct str list = STR_INIT;
        bool is_allowed = false;

        for (size_t k = 0; k < n && !is_allowed; k++)
            is_allowed = strcmp(allowed[k], text) == 0;
        found = !is_allowed && kinds_with(text, &list);
        if (found)
            (void)!PLAN_FAULT(l, key, "`%s` is not for a step of kind `%s`; it is for %s", text,
                              kinds[kind].word, str_cstr(&list));
        str_deinit(&list);
        if (!is_allowed)
            break; /* the first wrong key is the one to report */
    }
    return found;
}

static enum status check_keys(struct plan_loader *l, const struct yaml_node *node, int kind,
                              int repeat)
{
    const char *keys[MAX_STEP_KEYS];
    size_t n = 0;

    if (repeat != NO_WORD) {
        keys[n++] = kinds[repeat].word;
        add_keys(l, kinds[repeat].keys, keys, &n);
    }
    keys[n++] = kinds[kind].word;
    add_keys(l, kinds[kind].keys, keys, &n);
    if (kind == PLAN_HUMAN && yaml_get(node, "timeout"))
        return PLAN_FAULT(l, yaml_key_node(node, "timeout"),
                          "put `timeout` inside `human`: {human: {prompt: ..., timeout: %.40s}}",
                          yaml_text_of(yaml_get(node, "timeout")));
    return foreign_key(l, node, kind, keys, n)
               ? STATUS_CONFIG
               : yaml_check_keys(l->plan->yaml, node, keys, n, l->err);
}

/* A step without a kind: misspelt or missing. */
static enum status no_kind(struct plan_loader *l, const struct yaml_node *node, const char *id)
{
    const char *keys[MAX_STEP_KEYS];
    struct str list = STR_INIT;
    size_t n = 0;
    enum status st;

    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        keys[n++] = kinds[k].word;
        str_printf(&list, "%s%s", k ? ", " : "", kinds[k].word);
    }
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
        add_keys(l, kinds[k].keys, keys, &n);
    st = yaml_check_keys(l->plan->yaml, node, keys, n, l->err);
    if (!st)
        st = PLAN_FAULT(l, node, "step `%s` has no kind; the kinds are: %s", id, str_cstr(&list));
    str_deinit(&list);
    return st;
}

/* The kind or form of the step, and the kind that repeats it (NO_WORD: none). */
static enum status find_kind(struct plan_loader *l, const struct yaml_node *node, const char *id,
                             int *kind, int *repeat)
{
    *kind = *repeat = NO_WORD;
    for (int k = 0; k < NO_WORD; k++) {
        bool repeats = k == PLAN_MAP || k == PLAN_LOOP;
        int *which = repeats ? repeat : kind;

        if (!yaml_get(node, kinds[k].word))
            continue;
        if (*which != NO_WORD)
            return PLAN_FAULT(l, yaml_key_node(node, kinds[k].word),
                              "a step has one kind, but this one has `%s` and `%s`%s",
                              kinds[k].word, kinds[*which].word,
                              repeats ? "; put one of them into `do`" : "");
        *which = k;
    }
    if (*kind == NO_WORD && *repeat == NO_WORD)
        return no_kind(l, node, id);
    if (*kind == NO_WORD)
        return PLAN_FAULT(l, node,
                          "`%s` of step `%s` has nothing to repeat: add `agent`, `tool`, `do` or "
                          "another kind",
                          kinds[*repeat].word, id);
    return check_keys(l, node, *kind, *repeat);
}

/* ---- keys of all kinds */

static enum status value_of(struct plan_loader *l, const struct yaml_node *node, const char *key,
                            struct plan_value **out)
{
    const struct yaml_node *value = yaml_get(node, key);

    return value ? plan_value_load(l, value, out) : STATUS_OK;
}

static enum status load_common(struct plan_loader *l, const struct yaml_node *node,
                               struct plan_step *s)
{
    static const char *const on_error[] = {"fail", "continue"};
    int after = 0;
    enum status st = value_of(l, node, "in", &s->in);

    if (!st)
        st = part_schema(l, node, &s->schema);
    if (!st)
        st = part_retry(l, node, &s->retry);
    if (!st)
        st = part_budget(l, node, &s->budget);
    if (!st)
        st = part_duration(l, node, "timeout", &s->timeout_ms);
    if (!st)
        st = part_word(l, node, "effect", effect_words, N_EFFECTS, &s->effect);
    if (!st)
        st = part_word(l, node, "on_error", on_error, ARRAY_LEN(on_error), &after);
    s->on_error = on_error[after];
    return st;
}

static enum status load_one(struct plan_loader *l, const char *id, const struct yaml_node *node,
                            int kind, struct plan_step *s)
{
    enum status st;

    *s = (struct plan_step){.id = id, .effect = -1, .node = node};
    s->kind = kind < PLAN_N_KINDS ? (enum plan_kind)kind : PLAN_TOOL;
    s->line = yaml_line(node);
    s->column = yaml_column(node);
    s->retry.backoff = 2;
    s->on_error = "fail";
    st = kind == PLAN_MAP || kind == PLAN_LOOP ? STATUS_OK : load_common(l, node, s);
    return st ? st : kinds[kind].load(l, node, s);
}

static enum status load_step(struct plan_loader *l, const char *id, const struct yaml_node *node,
                             struct plan_step *s)
{
    int kind, repeat;
    enum status st;

    if (yaml_node_kind(node) != YAML_MAPPING)
        return PLAN_FAULT(l, node, "step `%s` must be a mapping, as in {agent: planner}", id);
    st = find_kind(l, node, id, &kind, &repeat);
    if (st)
        return st;
    if (repeat == NO_WORD)
        return load_one(l, id, node, kind, s);
    st = load_one(l, id, node, repeat, s);
    s->child = arena_alloc(l->plan->arena, sizeof(*s->child));
    s->n_children = 1;
    return st ? st : load_one(l, id, node, kind, s->child);
}

static bool is_name(const char *id)
{
    size_t n = strlen(id);

    for (size_t i = 0; i < n; i++) {
        bool letter = (id[i] >= 'a' && id[i] <= 'z') || (id[i] >= 'A' && id[i] <= 'Z');
        bool digit = id[i] >= '0' && id[i] <= '9';

        if (!letter && id[i] != '_' && !(digit && i > 0))
            return false;
    }
    return n > 0 && n <= MAX_ID_BYTES;
}

static enum status check_id(struct plan_loader *l, const struct yaml_node *key, const char *id)
{
    static const char *const reserved[] = {"inputs", "state", "exhausted", "item", "index", "round",
                                           "memory", "true",  "false",     "null", "in"};

    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        if (strcmp(id, reserved[i]) == 0)
            return PLAN_FAULT(l, key, "`%s` is a reserved word and cannot be the id of a step", id);
    }
    if (is_name(id))
        return STATUS_OK;
    return PLAN_FAULT(
        l, key,
        "\"%.80s\" cannot be the id of a step: use letters, digits and _, at most %d, not "
        "a digit first",
        id, MAX_ID_BYTES);
}

enum status plan_steps_load(struct plan_loader *l, const struct yaml_node *mapping,
                            struct plan_step **out, int32_t *n)
{
    const struct yaml_node *key, *value;
    struct plan_step *steps;
    enum status st = part_mapping(l, mapping, "`steps`");
    const char *id;

    if (st)
        return st;
    if (yaml_size(mapping) == 0)
        return PLAN_FAULT(l, mapping, "a list of steps must not be empty");
    steps = arena_alloc(l->plan->arena, yaml_size(mapping) * sizeof(*steps));
    for (size_t i = 0; !st && (id = yaml_key_at(mapping, i, &key, &value)) != NULL; i++) {
        st = check_id(l, key, id);
        if (!st)
            st = load_step(l, id, value, &steps[i]);
    }
    *out = steps;
    *n = (int32_t)yaml_size(mapping);
    return st;
}

/* ---- the kinds */

static const struct env_ops *find_env(const char *name, struct str *list, const char **near)
{
    const char *names[32];
    size_t n = 0;

    for (int32_t i = 0; env_at(i) && n < ARRAY_LEN(names); i++) {
        str_printf(list, "%s%s", n ? ", " : "", env_at(i)->name);
        names[n++] = env_at(i)->name;
    }
    *near = n ? nearest_word(name, names, n) : NULL;
    return env_find(name);
}

/* A constant is checked here, what is computed when the step runs. */
static enum status env_value(struct plan_loader *l, const struct yaml_node *env, const char *key,
                             struct plan_value **out)
{
    struct error fault = ERROR_INIT;
    enum status st = value_of(l, env, key, out);

    if (!st && *out && plan_env_check(key, plan_value_constant(*out), &fault))
        st = PLAN_FAULT(l, yaml_get(env, key), "%s", fault.message);
    return st;
}

static enum status load_env(struct plan_loader *l, const struct yaml_node *node,
                            struct plan_step *s)
{
    static const char *const keys[] = {"name", "horizon", "noise", "seed", "profile"};
    const struct yaml_node *env = yaml_get(node, "env");
    struct str list = STR_INIT;
    const char *name = NULL, *near = NULL;
    enum status st;

    if (!env)
        return STATUS_OK;
    st = part_mapping(l, env, "`env`");
    if (!st)
        st = yaml_check_keys(l->plan->yaml, env, keys, ARRAY_LEN(keys), l->err);
    if (!st && !yaml_get(env, "name"))
        st = PLAN_FAULT(l, env, "`env` needs `name`");
    if (!st)
        st = part_string(l, env, "name", &name);
    if (st)
        return st;
    s->env = find_env(name, &list, &near);
    if (!s->env && near)
        st = PLAN_FAULT(l, yaml_get(env, "name"),
                        "unknown environment `%.80s`; did you mean `%s`? The environments are: %s",
                        name, near, str_cstr(&list));
    else if (!s->env)
        st = PLAN_FAULT(l, yaml_get(env, "name"),
                        "unknown environment `%.80s`; the environments are: %s", name,
                        str_cstr(&list));
    str_deinit(&list);
    if (!st)
        st = env_value(l, env, "horizon", &s->env_horizon);
    if (!st)
        st = env_value(l, env, "noise", &s->env_noise);
    if (!st)
        st = env_value(l, env, "seed", &s->env_seed);
    return st ? st : env_value(l, env, "profile", &s->env_profile);
}

static enum status load_talk(struct plan_loader *l, const struct yaml_node *node,
                             struct plan_step *s)
{
    static const char *const others[] = {"env", "schema", "retry"};
    enum status st = part_bool(l, node, "talk", &s->talks);

    for (size_t i = 0; !st && s->talks && i < ARRAY_LEN(others); i++)
        if (yaml_get(node, others[i]))
            st = PLAN_FAULT(l, yaml_get(node, others[i]), "`%s` is not for an agent with `talk`",
                            others[i]);
    return st;
}

static enum status load_agent(struct plan_loader *l, const struct yaml_node *node,
                              struct plan_step *s)
{
    const char *names[MAX_STEP_KEYS];
    const struct plan *p = l->plan;
    static const char *const on_length[] = {"fail", "continue"};
    int cut = 0;
    const char *near;
    const struct json *constant;
    enum status st = part_string(l, node, "agent", &s->agent);

    if (!st)
        st = part_word(l, node, "on_length", on_length, ARRAY_LEN(on_length), &cut);
    if (st)
        return st;
    s->may_be_cut = cut == 1;
    st = value_of(l, node, "history", &s->history);
    if (!st)
        st = load_talk(l, node, s);
    if (!st && s->history && yaml_get(node, "env"))
        st = PLAN_FAULT(l, yaml_get(node, "history"), "`history` is not for agents with an `env`");
    constant = !st && s->history ? plan_value_constant(s->history) : NULL;
    if (constant && jv_kind(constant) != JV_ARRAY && jv_kind(constant) != JV_NULL)
        st = PLAN_FAULT(l, yaml_get(node, "history"),
                        "`history` takes a list of messages {role, content}, or ${...} for one");
    if (st)
        return st;
    if (!plan_agent_find(p, s->agent)) {
        size_t n = 0;

        for (int32_t i = 0; i < p->n_agents && n < ARRAY_LEN(names); i++)
            names[n++] = p->agent[i].name;
        near = n ? nearest_word(s->agent, names, n) : NULL;
        if (near)
            return PLAN_FAULT(l, yaml_get(node, "agent"),
                              "unknown agent `%.80s`; did you mean `%s`?", s->agent, near);
        return PLAN_FAULT(l, yaml_get(node, "agent"),
                          "unknown agent `%.80s`; it is not in `agents`", s->agent);
    }
    return load_env(l, node, s);
}

static enum status load_tool(struct plan_loader *l, const struct yaml_node *node,
                             struct plan_step *s)
{
    const struct yaml_node *in = yaml_get(node, "in");
    enum status st = part_string(l, node, "tool", &s->tool);

    if (!st && in && yaml_node_kind(in) == YAML_SEQUENCE)
        st = PLAN_FAULT(l, in, "`in` of a tool must be a mapping of arguments");
    return st;
}

/* The text of the key, which may be computed, as an argument of the tool. */
static enum status load_content(struct plan_loader *l, const struct yaml_node *node,
                                const char *word, struct plan_value **out)
{
    const struct yaml_node *value = yaml_get(node, word);

    if (yaml_node_kind(value) != YAML_SCALAR)
        return PLAN_FAULT(l, value, "`%s` takes text", word);
    return plan_value_load(l, value, out);
}

static enum status load_resource(struct plan_loader *l, const struct yaml_node *node,
                                 struct plan_step *s)
{
    struct plan_member member[] = {{"uri", NULL}};
    enum status st = load_content(l, node, "resource", &member[0].value);

    s->tool = "mcp_resource";
    if (!st)
        s->in = plan_value_map(l, node, member, ARRAY_LEN(member));
    return st;
}

static enum status load_prompt(struct plan_loader *l, const struct yaml_node *node,
                               struct plan_step *s)
{
    struct plan_member member[] = {{"name", NULL}, {"arguments", s->in}};
    const struct yaml_node *in = yaml_get(node, "in");
    enum status st = load_content(l, node, "prompt", &member[0].value);

    if (!st && in && yaml_node_kind(in) != YAML_MAPPING)
        st = PLAN_FAULT(l, in, "`in` of a prompt must be a mapping of arguments");
    s->tool = "mcp_prompt";
    if (!st)
        s->in = plan_value_map(l, node, member, s->in ? 2 : 1);
    return st;
}

/* Scalars only, so that an answer can be typed. */
static enum status answer_list(struct plan_loader *l, const struct yaml_node *human,
                               const char *key, struct json **out)
{
    const struct yaml_node *list = yaml_get(human, key);
    enum status st = STATUS_OK;

    if (!list)
        return STATUS_OK;
    if (yaml_node_kind(list) != YAML_SEQUENCE)
        return PLAN_FAULT(l, list, "`%s` takes a list of answers, as in [yes, no]", key);
    for (size_t i = 0; !st && i < yaml_size(list); i++) {
        if (yaml_node_kind(yaml_at(list, i)) != YAML_SCALAR)
            st = PLAN_FAULT(l, yaml_at(list, i), "an answer must be text, a number, true or false");
    }
    *out = plan_keep(l, yaml_to_json(list));
    return st;
}

static bool is_among(const struct json *list, const struct json *v)
{
    for (size_t i = 0; i < jv_size(list); i++) {
        if (jv_equal(jv_at(list, i), v))
            return true;
    }
    return false;
}

static enum status check_answers(struct plan_loader *l, const struct yaml_node *human,
                                 struct plan_step *s)
{
    const struct yaml_node *later = yaml_get(human, "on_timeout");
    struct json *no;

    if (s->options && jv_size(s->options) == 0)
        return PLAN_FAULT(l, yaml_get(human, "options"), "`options` is empty");
    for (size_t i = 0; i < jv_size(s->reject); i++) {
        if (s->options && !is_among(s->options, jv_at(s->reject, i)))
            return PLAN_FAULT(l, yaml_at(yaml_get(human, "reject"), i),
                              "`reject` names an answer that is not one of `options`");
    }
    /* The answer `no` rejects unless the file sets `reject`. */
    if (!s->reject) {
        s->reject = plan_keep(l, jv_array());
        no = jv_string("no");
        if (is_among(s->options, no))
            jv_append_adopt(s->reject, jv_ref(no));
        jv_unref(no);
    }
    if (!later)
        return STATUS_OK;
    s->on_timeout = plan_keep(l, yaml_to_json(later));
    if (s->options && !is_among(s->options, s->on_timeout))
        return PLAN_FAULT(l, later, "`on_timeout` is not one of `options`");
    return STATUS_OK;
}

static enum status load_human(struct plan_loader *l, const struct yaml_node *node,
                              struct plan_step *s)
{
    static const char *const keys[] = {"prompt", "options", "reject", "timeout", "on_timeout"};
    const struct yaml_node *human = yaml_get(node, "human"), *timeout;
    enum status st = part_mapping(l, human, "`human`");

    if (!st)
        st = yaml_check_keys(l->plan->yaml, human, keys, ARRAY_LEN(keys), l->err);
    if (!st && !yaml_get(human, "prompt"))
        st = PLAN_FAULT(l, human, "`human` needs `prompt`: the question");
    if (!st)
        st = value_of(l, human, "prompt", &s->prompt);
    if (!st)
        st = answer_list(l, human, "options", &s->options);
    if (!st)
        st = answer_list(l, human, "reject", &s->reject);
    s->timeout_ms = DEFAULT_HUMAN_MS;
    timeout = st ? NULL : yaml_get(human, "timeout");
    if (timeout && strcmp(yaml_text_of(timeout), "none") == 0)
        s->timeout_ms = 0;
    else if (!st)
        st = part_duration(l, human, "timeout", &s->timeout_ms);
    if (!st && s->timeout_ms == 0 && yaml_get(human, "on_timeout"))
        st = PLAN_FAULT(l, yaml_get(human, "on_timeout"),
                        "`on_timeout` has no effect with `timeout: none`");
    return st ? st : check_answers(l, human, s);
}

static enum status load_map(struct plan_loader *l, const struct yaml_node *node,
                            struct plan_step *s)
{
    const struct yaml_node *over = yaml_get(node, "map");
    struct json *v = yaml_to_json(over);
    int64_t parallel = DEFAULT_PARALLEL;
    enum jv_kind kind = jv_kind(v);
    bool text = kind == JV_STRING && !strstr(yaml_text_of(over), "${");
    int64_t n = kind == JV_INT ? jv_get_int(v, 0) : 0;
    enum status st;

    jv_unref(v);
    if (text || (kind != JV_STRING && kind != JV_INT && kind != JV_ARRAY))
        return PLAN_FAULT(l, over,
                          "`map` takes a list, a number of items, or ${...} for one of these");
    if (n < 0 || n > PLAN_MAX_ITEMS)
        return PLAN_FAULT(l, over, "`map` takes 0 to %d items, got %lld", PLAN_MAX_ITEMS,
                          (long long)n);
    st = part_int(l, node, "max_parallel", 1, PLAN_MAX_PARALLEL, &parallel);
    s->max_parallel = (int32_t)parallel;
    return st ? st : plan_value_load(l, over, &s->over);
}

static enum status load_loop(struct plan_loader *l, const struct yaml_node *node,
                             struct plan_step *s)
{
    static const char *const keys[] = {"until", "max", "on_max"};
    static const char *const on_max[] = {"continue", "fail"};
    const struct yaml_node *loop = yaml_get(node, "loop");
    int64_t max = 0;
    int at_max = 0;
    enum status st = part_mapping(l, loop, "`loop`");

    if (!st)
        st = yaml_check_keys(l->plan->yaml, loop, keys, ARRAY_LEN(keys), l->err);
    if (!st && !yaml_get(loop, "max"))
        st = PLAN_FAULT(l, loop, "`loop` needs `max`: the largest number of rounds");
    if (!st)
        st = part_int(l, loop, "max", 1, PLAN_MAX_ROUNDS, &max);
    s->max_rounds = (int32_t)max;
    if (!st && yaml_get(loop, "until"))
        st = plan_value_load_condition(l, yaml_get(loop, "until"), &s->until);
    if (!st)
        st = part_word(l, loop, "on_max", on_max, ARRAY_LEN(on_max), &at_max);
    if (!st && yaml_get(loop, "on_max") && !s->until)
        st = PLAN_FAULT(l, yaml_get(loop, "on_max"),
                        "`on_max` needs `until`: a loop without it ends at `max`");
    s->fail_at_max = at_max == 1;
    return st;
}

static enum status load_wait(struct plan_loader *l, const struct yaml_node *node,
                             struct plan_step *s)
{
    static const char *const keys[] = {"for", "until"};
    const struct yaml_node *wait = yaml_get(node, "wait");
    struct error fault = ERROR_INIT;
    const struct json *constant;
    int64_t ms;
    enum status st = part_mapping(l, wait, "`wait`");

    if (!st)
        st = yaml_check_keys(l->plan->yaml, wait, keys, ARRAY_LEN(keys), l->err);
    if (st)
        return st;
    s->wait_is_for = yaml_get(wait, "for") != NULL;
    if (yaml_size(wait) != 1)
        return PLAN_FAULT(l, wait, "`wait` takes one of `for` (a duration) and `until` (a time)");
    wait = yaml_get(wait, s->wait_is_for ? "for" : "until");
    st = plan_value_load(l, wait, &s->wait);
    constant = st ? NULL : plan_value_constant(s->wait);
    if (constant && plan_wait_ms(s->wait_is_for, constant, &ms, &fault))
        st = PLAN_FAULT(l, wait, "%s", fault.message);
    return st;
}

static enum status load_if(struct plan_loader *l, const struct yaml_node *node, struct plan_step *s)
{
    static const char *const keys[] = {"cond", "then", "else"};
    const struct yaml_node *branch = yaml_get(node, "if");
    enum status st = part_mapping(l, branch, "`if`");

    if (!st)
        st = yaml_check_keys(l->plan->yaml, branch, keys, ARRAY_LEN(keys), l->err);
    if (!st && (!yaml_get(branch, "cond") || !yaml_get(branch, "then")))
        st = PLAN_FAULT(l, branch, "`if` needs `cond` and `then`");
    if (!st)
        st = plan_value_load_condition(l, yaml_get(branch, "cond"), &s->cond);
    if (!st)
        st = plan_steps_load(l, yaml_get(branch, "then"), &s->child, &s->n_children);
    if (!st && yaml_get(branch, "else"))
        st = plan_steps_load(l, yaml_get(branch, "else"), &s->otherwise, &s->n_otherwise);
    return st;
}

static enum status load_parallel(struct plan_loader *l, const struct yaml_node *node,
                                 struct plan_step *s)
{
    static const char *const keys[] = {"branches"};
    const struct yaml_node *parallel = yaml_get(node, "parallel");
    enum status st = part_mapping(l, parallel, "`parallel`");

    if (!st)
        st = yaml_check_keys(l->plan->yaml, parallel, keys, ARRAY_LEN(keys), l->err);
    if (!st && !yaml_get(parallel, "branches"))
        st = PLAN_FAULT(l, parallel, "`parallel` needs `branches`");
    if (!st)
        st = plan_steps_load(l, yaml_get(parallel, "branches"), &s->child, &s->n_children);
    return st;
}

/* Checks the names of the inputs of a blueprint inside this one; types are known only at run time.
 */
static enum status check_sub_inputs(struct plan_loader *l, const struct yaml_node *at,
                                    const struct yaml_node *in, const struct plan *sub)
{
    const char *names[MAX_STEP_KEYS];
    size_t n = 0;

    for (int32_t i = 0; i < sub->n_inputs && n < ARRAY_LEN(names); i++) {
        names[n++] = sub->input[i].name;
        if (sub->input[i].required &&
            !(in && (yaml_node_kind(in) == YAML_SCALAR || yaml_get(in, sub->input[i].name))))
            return PLAN_FAULT(l, in ? in : at, "input `%s` (%s) of %s is missing",
                              sub->input[i].name, sub->input[i].type, sub->file);
    }
    if (!in || yaml_node_kind(in) == YAML_SCALAR)
        return STATUS_OK;
    return yaml_check_keys(l->plan->yaml, in, names, n, l->err);
}

static enum status load_blueprint(struct plan_loader *l, const struct yaml_node *node,
                                  struct plan_step *s)
{
    const struct yaml_node *at = yaml_get(node, "blueprint");
    const struct yaml_node *in = yaml_get(node, "in");
    struct error fault = ERROR_INIT;
    const char *reference = part_file_reference(at);

    if (!reference)
        return PLAN_FAULT(l, at, "`blueprint` takes file://NAME.yaml");
    if (in && yaml_node_kind(in) == YAML_SEQUENCE)
        return PLAN_FAULT(l, in, "`in` of a blueprint must be a mapping of its inputs");
    if (l->depth + 1 > PLAN_MAX_SUB_DEPTH)
        return PLAN_FAULT(l, at,
                          "blueprints are nested deeper than %d levels; does one run itself?",
                          PLAN_MAX_SUB_DEPTH);
    if (plan_files_resolve(l->file, reference, l->plan->arena, &s->blueprint, &fault))
        return PLAN_FAULT(l, at, "%s", fault.message);
    /* A file that cannot be read is an error of this line; an error in the file names its own line.
     */
    if (plan_files_text(l->files, s->blueprint, &reference, &fault))
        return PLAN_FAULT(l, at, "%s%s%s", fault.where, fault.where[0] ? ": " : "", fault.message);
    if (plan_load(l->files, s->blueprint, l->depth + 1, &s->sub, l->err))
        return STATUS_CONFIG;
    return check_sub_inputs(l, at, in, s->sub);
}

static enum status load_value(struct plan_loader *l, const struct yaml_node *node,
                              struct plan_step *s)
{
    return value_of(l, node, "value", &s->value);
}

static enum status load_do(struct plan_loader *l, const struct yaml_node *node, struct plan_step *s)
{
    return plan_steps_load(l, yaml_get(node, "do"), &s->child, &s->n_children);
}
