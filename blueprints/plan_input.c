/* plan_input.c - checks the inputs of a run against the declarations of the blueprint.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/plan_load.h"
#include "runtime/base/map.h"

const struct plan_input *plan_input_find(const struct plan *p, const char *name)
{
    for (int32_t i = 0; i < p->n_inputs; i++) {
        if (strcmp(p->input[i].name, name) == 0)
            return &p->input[i];
    }
    return NULL;
}

enum status plan_input_unknown(const struct plan *p, const char *name, struct error *err)
{
    const char *names[64];
    const char *near;
    struct str list;
    size_t n = 0;

    str_init(&list, 400);
    for (int32_t i = 0; i < p->n_inputs && n < ARRAY_LEN(names); i++) {
        str_printf(&list, "%s%s", n ? ", " : "", p->input[i].name);
        names[n++] = p->input[i].name;
    }
    near = n ? nearest_word(name, names, n) : NULL;
    if (near)
        error_set(err, STATUS_USAGE, "unknown input `%.80s`; did you mean `%s`?", name, near);
    else if (n)
        error_set(err, STATUS_USAGE, "unknown input `%.80s`; the inputs are: %s", name,
                  str_cstr(&list));
    else
        error_set(err, STATUS_USAGE, "unknown input `%.80s`; this blueprint has no inputs", name);
    str_deinit(&list);
    return STATUS_USAGE;
}

bool plan_input_takes(const struct plan_input *in, const struct json *v)
{
    const char *kind = jv_kind_name(jv_kind(v));

    return strcmp(kind, in->type) == 0 || (strcmp(in->type, "number") == 0 && jv_kind(v) == JV_INT);
}

enum status plan_inputs(const struct plan *p, const struct json *given, struct json **out,
                        struct error *err)
{
    struct json *all = jv_object();
    enum status st = STATUS_OK;
    const char *name;

    if (given && jv_kind(given) != JV_OBJECT)
        st = error_set(err, STATUS_USAGE, "inputs must be an object, got %s",
                       jv_kind_name(jv_kind(given)));
    for (void *it = NULL; !st && (it = jv_next(given, it, &name, NULL)) != NULL;) {
        if (!plan_input_find(p, name))
            st = plan_input_unknown(p, name, err);
    }
    for (int32_t i = 0; !st && i < p->n_inputs; i++) {
        const struct plan_input *in = &p->input[i];
        struct json *v = jv_get(given, in->name);

        if (v && jv_kind(v) == JV_NULL && !in->required) /* this function writes it so */
            v = NULL;
        if (!v && in->required)
            st = error_set(err, STATUS_USAGE, "input `%s` (%s) is missing", in->name, in->type);
        else if (v && !plan_input_takes(in, v))
            st = error_set(err, STATUS_USAGE, "input `%s` is of type %s, got %s", in->name,
                           in->type, jv_kind_name(jv_kind(v)));
        else
            jv_set_adopt(all, in->name, v ? jv_ref(v) : jv_ref(in->otherwise));
    }
    if (st == STATUS_USAGE && p->n_inputs)
        error_hint(err, "give it with --var NAME=VALUE");
    if (st) {
        jv_unref(all);
        return st;
    }
    *out = all;
    return STATUS_OK;
}

/* By the declared type: the text itself for a string, else JSON. */
static enum status input_from_text(const struct plan *p, const char *name, const char *text,
                                   struct json **out, struct error *err)
{
    const struct plan_input *in = plan_input_find(p, name);
    struct json *v = NULL;

    if (!in)
        return plan_input_unknown(p, name, err);
    if (strcmp(in->type, "string") == 0) {
        *out = jv_string(text);
        return STATUS_OK;
    }
    if (jv_parse(text, strlen(text), name, &v, NULL)) {
        bool list = strcmp(in->type, "array") == 0, object = strcmp(in->type, "object") == 0;

        if (!list && !object)
            return error_set(err, STATUS_USAGE, "input `%s` is of type %s, got \"%.80s\"", name,
                             in->type, text);
        (void)error_set(err, STATUS_USAGE, "input `%s` is of type %s, and \"%.80s\" is not JSON",
                        name, in->type, text);
        error_hint(err,
                   list ? "as in --var '%.80s=[\"a\", \"b\"]'" : "as in --var '%.80s={\"a\": 1}'",
                   name);
        return STATUS_USAGE;
    }
    if (!plan_input_takes(in, v)) {
        jv_unref(v);
        return error_set(err, STATUS_USAGE, "input `%s` is of type %s, got \"%.80s\"", name,
                         in->type, text);
    }
    *out = v;
    return STATUS_OK;
}

enum status plan_input_assign(const struct plan *p, const char *text, struct json *inputs,
                              struct error *err)
{
    const char *eq = strchr(text, '=');
    struct json *value = NULL;
    enum status st;
    char *name;

    if (!eq || eq == text)
        return error_set(err, STATUS_USAGE, "--var \"%s\": expected NAME=VALUE", text);
    name = xstrndup(text, (size_t)(eq - text));
    st = input_from_text(p, name, eq + 1, &value, err);
    if (!st)
        jv_set_adopt(inputs, name, value);
    free(name);
    return st;
}
