/* jinja_eval.c - statements and scopes.
 *
 * Scopes are those of Jinja: a loop's body and a macro have their own, "if" has
 * none; a variable set in a loop is dropped after the iteration (hence namespace()).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/jinja_eval.h"

#include <string.h>

#include "models/chat/jinja_access.h"
#include "models/chat/jinja_builtin.h"
#include "models/chat/jinja_dict.h"
#include "models/chat/jinja_print.h"
#include "runtime/base/memory.h"

struct jinja_scope *jinja_scope_new(struct jinja_run *run, struct jinja_scope *parent)
{
    struct jinja_scope *s = jinja_alloc(&run->memory, sizeof(*s));

    if (s)
        s->parent = parent;
    else
        jinja_spend(run, 1);
    return s;
}

void jinja_bind(struct jinja_run *run, struct jinja_scope *s, struct jinja_text name,
                struct jinja_value v)
{
    jinja_spend(run, s->n / 16);
    for (size_t i = 0; i < s->n; i++)
        if (jinja_text_equal(s->binding[i].name, name)) {
            s->binding[i].value = v;
            return;
        }
    if (jinja_make_room(&run->memory, (void **)&s->binding, s->n, &s->cap, sizeof(*s->binding)))
        s->binding[s->n++] = (struct jinja_binding){name, v};
    else
        jinja_spend(run, 1);
}

/* Runs a body and captures its output. */
static struct jinja_value jinja_capture(struct jinja_run *run, const struct jinja_node *body)
{
    struct str *outer = run->out, s;

    str_init(&s, CHAT_MAX_OUTPUT);
    run->out = &s;
    jinja_exec(run, body);
    run->out = outer;
    return jinja_take_text(run, &s);
}

/* Targets of a loop or of "set": one name takes the value, several take its parts. */
static void bind_targets(struct jinja_run *run, struct jinja_scope *scope,
                         const struct jinja_node *n, struct jinja_value v)
{
    const struct jinja_list *parts;

    if (n->n_items == 1) {
        jinja_bind(run, scope, n->items[0]->text, v);
        return;
    }
    parts = jinja_items(run, &v);
    if (parts == NULL)
        return;
    if (parts->n != n->n_items) {
        jinja_fail(run, STATUS_INVALID, "cannot assign %zu values to %zu names", parts->n,
                   n->n_items);
        return;
    }
    for (size_t i = 0; i < n->n_items; i++)
        jinja_bind(run, scope, n->items[i]->text, parts->item[i]);
}

/* The scope of a loop's next pass. The last one is reused unless a macro still reads it, so that a
 * long loop needs no more memory than a short one. */
static bool enter_pass(struct jinja_run *run, struct jinja_scope *outer, struct jinja_scope *last)
{
    if (last && !last->kept) {
        last->n = 0;
        run->scope = last;
    } else {
        run->scope = jinja_scope_new(run, outer);
    }
    return run->scope != NULL;
}

/* The items that pass the loop's condition. */
static const struct jinja_list *filter_items(struct jinja_run *run, const struct jinja_node *n,
                                             const struct jinja_list *items)
{
    struct jinja_scope *outer = run->scope;
    struct jinja_value kept = jinja_list(&run->memory);
    struct jinja_scope *pass = NULL;

    if (n->b == NULL || kept.type != JT_LIST)
        return items;
    for (size_t i = 0; i < items->n && jinja_spend(run, 1); i++) {
        struct jinja_value wanted;

        if (!enter_pass(run, outer, pass))
            break;
        pass = run->scope;
        bind_targets(run, pass, n, items->item[i]);
        wanted = jinja_eval(run, n->b);
        if (jinja_truth(&wanted))
            jinja_push(&run->memory, kept.as.list, items->item[i]);
    }
    run->scope = outer;
    return kept.as.list;
}

static void exec_for(struct jinja_run *run, const struct jinja_node *n)
{
    struct jinja_scope *outer = run->scope, *pass = NULL;
    struct jinja_value over = jinja_eval(run, n->a), loop_value = {.type = JT_LOOP};
    const struct jinja_list *items = jinja_items(run, &over);
    struct jinja_loop *loop = jinja_alloc(&run->memory, sizeof(*loop));

    if (!jinja_spend(run, 1) || items == NULL || loop == NULL)
        return;
    items = filter_items(run, n, items);
    *loop = (struct jinja_loop){items, 0};
    loop_value.as.loop = loop;
    for (; loop->index < items->n && jinja_spend(run, 1); loop->index++) {
        if (!enter_pass(run, outer, pass))
            break;
        pass = run->scope;
        bind_targets(run, pass, n, items->item[loop->index]);
        jinja_bind(run, pass, JINJA_TEXT("loop"), loop_value);
        jinja_exec(run, n->c);
        if (run->flow == FLOW_BREAK)
            break;
        run->flow = FLOW_ON;
    }
    run->flow = FLOW_ON;
    run->scope = outer;
    if (items->n == 0 && n->d)
        jinja_exec(run, n->d);
}

static void exec_if(struct jinja_run *run, const struct jinja_node *n)
{
    size_t i = 0;

    for (; i + 1 < n->n_items; i += 2) {
        const struct jinja_value v = jinja_eval(run, n->items[i]);

        if (run->st)
            return;
        if (jinja_truth(&v)) {
            jinja_exec(run, n->items[i + 1]);
            return;
        }
    }
    if (i < n->n_items)
        jinja_exec(run, n->items[i]);
}

static void set_member(struct jinja_run *run, const struct jinja_node *target, struct jinja_value v)
{
    const struct jinja_value of = jinja_eval(run, target->a);

    if (run->st)
        return;
    if (of.type != JT_NAMESPACE)
        jinja_fail(run, STATUS_INVALID, "only attributes of a namespace can be set");
    else
        jinja_dict_set(run, of.as.dict, jinja_string(target->text), v);
}

static void exec_set(struct jinja_run *run, const struct jinja_node *n)
{
    const struct jinja_value v = n->c ? jinja_capture(run, n->c) : jinja_eval(run, n->a);

    if (run->st)
        return;
    if (n->n_items == 1 && n->items[0]->kind == JN_ATTRIBUTE)
        set_member(run, n->items[0], v);
    else
        bind_targets(run, run->scope, n, v);
}

static void exec_macro(struct jinja_run *run, const struct jinja_node *n)
{
    struct jinja_macro *m = jinja_alloc(&run->memory, sizeof(*m));
    struct jinja_value v = {.type = JT_MACRO};

    if (m == NULL)
        return;
    *m = (struct jinja_macro){n, run->scope};
    v.as.macro = m;
    for (struct jinja_scope *s = run->scope; s && !s->kept; s = s->parent)
        s->kept = true;
    jinja_bind(run, run->scope, n->text, v);
}

static void exec_generation(struct jinja_run *run, const struct jinja_node *n)
{
    const size_t from = run->main->len;
    struct chat_spans *s = run->spans;

    jinja_exec(run, n->c);
    if (run->st || s == NULL || run->out != run->main || run->main->len == from)
        return;
    if (s->n == s->cap) {
        const size_t cap = s->cap ? s->cap * 2 : 16;

        if (!mem_grow((void **)&s->span, cap, sizeof(*s->span))) {
            jinja_fail(run, STATUS_NO_MEMORY, "no memory for %zu spans", cap);
            return;
        }
        s->cap = cap;
    }
    s->span[s->n++] = (struct chat_span){from, run->main->len};
}

static void exec_output(struct jinja_run *run, const struct jinja_node *n)
{
    const struct jinja_value v = jinja_eval(run, n->a);

    if (run->st == STATUS_OK)
        jinja_put_value(run, run->out, &v);
}

static void exec_one(struct jinja_run *run, const struct jinja_node *n)
{
    switch (n->kind) {
    case JN_BLOCK:
        for (size_t i = 0; i < n->n_items && run->st == STATUS_OK && run->flow == FLOW_ON; i++)
            jinja_exec(run, n->items[i]);
        return;
    case JN_TEXT:
        str_append(run->out, n->text.p, n->text.n);
        return;
    case JN_OUTPUT:
        exec_output(run, n);
        return;
    case JN_IF:
        exec_if(run, n);
        return;
    case JN_FOR:
        exec_for(run, n);
        return;
    case JN_SET:
        exec_set(run, n);
        return;
    case JN_MACRO:
        exec_macro(run, n);
        return;
    case JN_GENERATION:
        exec_generation(run, n);
        return;
    case JN_BREAK:
        run->flow = FLOW_BREAK;
        return;
    case JN_CONTINUE:
        run->flow = FLOW_CONTINUE;
        return;
    default:
        return;
    }
}

void jinja_exec(struct jinja_run *run, const struct jinja_node *n)
{
    run->line = n->line;
    if (!jinja_spend(run, 1) || !jinja_go_down(run))
        return;
    exec_one(run, n);
    if (!str_ok(run->out))
        jinja_fail(run, STATUS_LIMIT, "the output is longer than %zu bytes", run->out->max);
    jinja_go_up(run);
}

static struct jinja_value call_macro(struct jinja_run *run, const struct jinja_macro *m,
                                     const struct jinja_args *args)
{
    struct jinja_scope *outer = run->scope, *inner = jinja_scope_new(run, m->scope);
    struct jinja_value v = JINJA_UNDEFINED;

    if (inner == NULL || !jinja_go_down(run))
        return v;
    if (args->n > m->node->n_items)
        jinja_fail(run, STATUS_INVALID, "macro %.*s takes at most %zu arguments",
                   (int)m->node->text.n, m->node->text.p, m->node->n_items);
    run->scope = inner;
    for (size_t i = 0; i < m->node->n_items && run->st == STATUS_OK; i++) {
        const struct jinja_node *p = m->node->items[i];
        const struct jinja_value *given = i < args->n ? &args->value[i] : NULL;

        jinja_spend(run, args->n_named / 16);
        for (size_t k = 0; k < args->n_named && given == NULL; k++)
            if (jinja_text_equal(args->named[k].name, p->text))
                given = &args->named[k].value;
        jinja_bind(run, inner, p->text,
                   given  ? *given
                   : p->a ? jinja_eval(run, p->a)
                          : (struct jinja_value){.type = JT_UNDEFINED, .as.text = p->text});
    }
    v = jinja_capture(run, m->node->c);
    run->scope = outer;
    jinja_go_up(run);
    return v;
}

struct jinja_value jinja_call(struct jinja_run *run, const struct jinja_value *callee,
                              const struct jinja_args *args)
{
    switch (callee->type) {
    case JT_MACRO:
        return call_macro(run, callee->as.macro, args);
    case JT_FUNCTION:
        return callee->as.function(run, args);
    case JT_METHOD:
        return jinja_call_method(run, callee->as.method, args);
    case JT_UNDEFINED:
        jinja_fail(run, STATUS_INVALID, "'%.*s' is undefined and cannot be called",
                   (int)callee->as.text.n, callee->as.text.p ? callee->as.text.p : "");
        return JINJA_UNDEFINED;
    default:
        jinja_fail(run, STATUS_INVALID, "a value of type %s cannot be called",
                   jinja_type_name(callee->type));
        return JINJA_UNDEFINED;
    }
}
