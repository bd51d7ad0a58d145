/* repair.c - walks a blueprint together with the record of its run, and decides about each step.
 *
 * Frames and nodes are those of a run, but only containers begin. A finished leaf ends as recorded;
 * any other leaf stays as it is. A step that will be done again has its old value during the
 * comparison, so that the steps after it are compared too.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/repair.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "blueprints/node_table.h"
#include "blueprints/plan_compare.h"
#include "blueprints/repair_fresh.h"
#include "blueprints/repair_rows.h"
#include "blueprints/runner.h"
#include "blueprints/runner_root.h"
#include "blueprints/step.h"
#include "runtime/store/path.h"

struct comparison {
    struct frame_host frames; /* first */
    const struct repair_spec *spec;
    struct map *rows;
    struct json *again, *keep; /* of out->rules; lent */
    struct repair *out;
    /* Path prefix of the children of each ended container -> the address of its end. */
    struct map *ended;
    char gone_through, as_recorded;
    struct fresh fresh;
    /* Paths of containers that failed and whose failure was handled, which begin again -> their
     * struct repair_row. */
    struct map *handled;
    struct run_budget budget;
    struct frame *root;
};

static void on_wake(struct frame_host *h)
{
    (void)h;
}

static const struct frame_host_ops frame_ops = {.wake = on_wake};

static struct comparison *comparison_of(const struct frame *f)
{
    return (struct comparison *)f->host;
}

/* ---- redo and keep */

/* The length of the longest of the paths that contains this one; 0: none. */
static size_t covered_by(const char *const *paths, size_t n, const char *path)
{
    size_t longest = 0;

    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(paths[i]);

        if (len > longest && path_is_under(path, paths[i]))
            longest = len;
    }
    return longest;
}

static bool is_redone(const struct comparison *c, const char *path)
{
    const struct repair_spec *s = c->spec;
    size_t redo = covered_by(s->redo, s->n_redo, path);

    return redo > 0 && redo >= covered_by(s->keep, s->n_keep, path);
}

static bool is_kept(const struct comparison *c, const char *path)
{
    return covered_by(c->spec->keep, c->spec->n_keep, path) > 0 && !is_redone(c, path);
}

static enum status check_paths(const struct comparison *c, const char *option,
                               const char *const *paths, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        const char *path;
        void *row;
        bool found = false;

        for (size_t at = 0; !found && map_next(c->rows, &at, &path, &row);)
            found = path_is_under(path, paths[i]);
        if (!found) {
            error_set(err, STATUS_USAGE, "%s %.120s: the run has no such step", option, paths[i]);
            error_hint(err, "`troupe show %.36s` lists the steps", c->spec->uuid);
            return STATUS_USAGE;
        }
    }
    return STATUS_OK;
}

/* ---- decisions */

static void begin_again(struct comparison *c, const struct frame *f, int32_t attempt)
{
    if (jv_get_int(jv_get(c->again, f->path), -1) < attempt) {
        jv_set_int(c->again, f->path, attempt);
        c->out->n_again++;
    }
    jv_remove(c->keep, f->path);
    fresh_mark(&c->fresh, f);
}

static void disagree(struct comparison *c, const char *path, const char *reason)
{
    struct json *one = jv_object();

    jv_set_string(one, "path", path);
    jv_set_string(one, "reason", reason);
    jv_append_adopt(c->out->disagree, one);
}

/* ---- the step as it was */

static struct plan_place counterpart(const struct frame *f)
{
    const struct frame *parent = f->parent;
    const struct plan *was = comparison_of(f)->spec->was;
    struct plan_place up;
    bool otherwise;

    if (!parent->step)
        return plan_place_in(was, was->step, was->n_steps, f->step->id);
    up = counterpart(parent);
    if (!up.step)
        return up;
    if (parent->step->sub && up.step->sub)
        return plan_place_in(up.step->sub, up.step->sub->step, up.step->sub->n_steps, f->step->id);
    otherwise = parent->step->n_otherwise > 0 && f->step >= parent->step->otherwise &&
                f->step < parent->step->otherwise + parent->step->n_otherwise;
    return plan_place_in(up.plan, otherwise ? up.step->otherwise : up.step->child,
                         otherwise ? up.step->n_otherwise : up.step->n_children, f->step->id);
}

/* A step that the old blueprint did not have cannot differ. */
static bool definition_differs(const struct frame *f, struct str *reason)
{
    struct plan_place was = counterpart(f);

    return was.step && plan_step_differs(was, (struct plan_place){f->plan, f->step}, reason);
}

/* ---- a step */

static void end_as_recorded(struct frame *f, const struct step_record *rec)
{
    f->record = RECORD_END;
    frame_end(f, rec->state, rec->out ? jv_ref(rec->out) : NULL, rec->err ? "%s" : NULL,
              rec->err ? rec->err : "");
}

static void end_finished(struct frame *f, const struct step_record *rec, enum step_verdict verdict)
{
    struct comparison *c = comparison_of(f);
    const char *read = fresh_read(&c->fresh, f);
    struct str reason = STR_INIT;

    if (is_redone(c, f->path)) {
        begin_again(c, f, rec->attempt + 1);
    } else if (is_kept(c, f->path)) {
        jv_set_int(c->keep, f->path, rec->attempt);
        c->out->n_kept++;
    } else if (jv_get_int(jv_get(c->keep, f->path), -1) == rec->attempt) {
        c->out->n_kept++; /* as an earlier repair decided */
    } else if (definition_differs(f, &reason)) {
        disagree(c, f->path, str_cstr(&reason));
    } else if (verdict == STEP_DISAGREES) {
        disagree(c, f->path, "its inputs differ");
    } else if (read && step_effect(f) > EFFECT_READ) {
        str_printf(&reason, "it reads `%s`, which may differ once a step is done again", read);
        disagree(c, f->path, str_cstr(&reason));
    } else if (read) {
        c->out->n_follow++;
        fresh_mark(&c->fresh, f);
    } else {
        c->out->n_kept++;
    }
    str_deinit(&reason);
    end_as_recorded(f, rec);
}

static bool has_other_model(const struct frame *f)
{
    const struct repair_spec *s = comparison_of(f)->spec;

    return f->step->kind == PLAN_AGENT && s->other_model &&
           s->other_model(s->ctx, f->plan, plan_agent_find(f->plan, f->step->agent));
}

/* A leaf that has not ended, or failed. */
static void decide_unfinished(struct frame *f, const struct step_record *rec,
                              enum step_verdict verdict)
{
    struct comparison *c = comparison_of(f);
    struct str reason = STR_INIT;
    bool differs = definition_differs(f, &reason) || verdict == STEP_DISAGREES;

    if (!step_record_is_open(rec) || is_redone(c, f->path) || has_other_model(f) ||
        (differs && step_effect(f) <= EFFECT_READ))
        begin_again(c, f, rec->attempt + 1);
    else if (differs)
        disagree(c, f->path,
                 "its definition changed, and it may have had its effect: only --redo is possible");
    str_deinit(&reason);
}

/* A value that differs is computed again; this needs no decision. */
static bool is_value_as_before(const struct frame *f)
{
    struct plan_place was = counterpart(f);

    return f->step->kind == PLAN_VALUE && !f->not_retryable &&
           !(was.step && was.step->kind != PLAN_VALUE);
}

static void compare_leaf(struct frame *f, const struct step_record *rec)
{
    struct comparison *c = comparison_of(f);
    enum step_verdict verdict = step_judge(f, rec);

    if (is_value_as_before(f) && !is_kept(c, f->path)) {
        if (!step_record_has_value(f, rec) && !step_record_is_open(rec))
            begin_again(c, f, rec->attempt + 1);
        else if (verdict == STEP_IS_DONE)
            c->out->n_kept++;
        if (fresh_read(&c->fresh, f))
            fresh_mark(&c->fresh, f);
        frame_end(f, STEP_OK, jv_ref(f->in), NULL);
    } else if (verdict == STEP_NEW_ATTEMPT &&
               jv_get_int(jv_get(c->again, f->path), 0) > rec->attempt) {
        return; /* an earlier repair decided, and the run has not reached it yet */
    } else if (step_record_has_value(f, rec)) {
        end_finished(f, rec, verdict);
    } else {
        decide_unfinished(f, rec, verdict);
    }
}

static bool holds_redone(const struct comparison *c, const char *path)
{
    for (size_t i = 0; i < c->spec->n_redo; i++) {
        if (path_is_under(c->spec->redo[i], path))
            return true;
    }
    return is_redone(c, path);
}

static void compare_container(struct frame *f, struct repair_row *row)
{
    struct comparison *c = comparison_of(f);
    const struct step_record *rec = &row->rec;
    bool handled = rec->state != STEP_OK && step_record_has_value(f, rec);
    struct plan_place was = counterpart(f);

    if (was.step && was.step->kind != f->step->kind) {
        if (step_record_has_value(f, rec))
            end_finished(f, rec, STEP_DISAGREES);
        else
            begin_again(c, f, rec->attempt + 1);
        return;
    }
    if (handled && !holds_redone(c, f->path) &&
        (is_kept(c, f->path) || !fresh_read_within(&c->fresh, f))) {
        end_as_recorded(f, rec);
        return;
    }
    if (fresh_read(&c->fresh, f)) {
        fresh_mark(&c->fresh, f);
        fresh_mark_names(&c->fresh, f);
    }
    if (handled)
        map_put(c->handled, f->path, row);
    /* It gets all its tries again, also if its failure was handled. */
    if (rec->state != STEP_OK && !step_record_is_open(rec))
        jv_set_int(c->again, f->path, rec->attempt);
    frame_set_state(f, FRAME_WORKING);
    f->ops->begin(f);
}

static void compare_step(struct frame *f)
{
    struct comparison *c = comparison_of(f);
    struct repair_row *row = map_get(c->rows, f->path);
    struct error unused = ERROR_INIT;

    if (!row) /* and no step below it either */
        return;
    row->seen = true;
    f->attempt = row->rec.attempt;
    assert(f->state == FRAME_QUEUED && !f->host->run);
    f->not_retryable = step_prepare(f, &unused) != STATUS_OK;
    if (frame_is_leaf(f))
        compare_leaf(f, &row->rec);
    else if (!f->not_retryable)
        compare_container(f, row);
}

/* A step that fails here, for example by its condition, will fail the same way when it runs. */
static void compare_end(struct frame *f)
{
    struct comparison *c = comparison_of(f);
    struct str base = STR_INIT;

    assert(f->state == FRAME_ENDED && !f->child);
    step_set_value(f);
    if (!f->value)
        return;
    if (!frame_is_leaf(f)) {
        frame_base(f, &base);
        map_put(c->ended, str_cstr(&base),
                f->record == RECORD_END ? &c->as_recorded : &c->gone_through);
        str_deinit(&base);
    }
    if (!f->parent)
        return;
    f->parent->ops->child_ended(f->parent, f);
    frame_free_tree(f);
}

/* ---- removed steps */

static bool is_latest(void *ctx, const char *path, size_t n, int64_t attempt)
{
    const struct comparison *c = ctx;
    const struct repair_row *row = map_get_n(c->rows, path, n);

    return !row || row->rec.attempt == attempt;
}

/* Does the path belong to an attempt that is not the latest of a step around it? */
static bool is_outdated(struct comparison *c, const char *path)
{
    return !path_each_around(path, is_latest, c);
}

/* Has a step around it ended here, so that this step is not reached? */
static bool is_passed(const struct comparison *c, const char *path)
{
    const void *end = map_get(c->ended, "");

    for (size_t n = 1; path[n] && end != &c->as_recorded; n++) {
        const void *nearer = strchr("/[", path[n]) ? map_get_n(c->ended, path, n) : NULL;

        end = nearer ? nearer : end;
    }
    return end == &c->gone_through;
}

static void compare_unseen(struct comparison *c)
{
    const char *path;
    void *p;

    for (size_t i = 0; map_next(c->rows, &i, &path, &p);) {
        const struct repair_row *row = p;

        if (row->seen || row->rec.state != STEP_OK || is_redone(c, path) || is_kept(c, path) ||
            jv_get(c->keep, path) || is_outdated(c, path))
            continue;
        if (!plan_has_path(c->spec->now, path))
            disagree(c, path, "the blueprint no longer has this step");
        else if (is_passed(c, path))
            disagree(c, path, "the run no longer reaches this step");
    }
}

/* ---- the whole */

/* The innermost of the handled containers that did not come to their ends here: in the record, a
 * step in it failed. */
static struct frame *find_handled(const struct comparison *c, struct frame *f)
{
    struct frame *found = NULL;

    for (struct frame *child = f->child; child && !found; child = child->next)
        found = find_handled(c, child);
    return found || !map_get(c->handled, f->path) ? found : f;
}

/* The steps after it are compared too. */
static bool end_handled(struct comparison *c)
{
    struct frame *f = find_handled(c, c->root);
    const struct repair_row *row = f ? map_remove(c->handled, f->path) : NULL;

    if (!row)
        return false;
    while (f->child)
        frame_free_tree(f->child);
    fresh_mark(&c->fresh, f);
    end_as_recorded(f, &row->rec);
    return true;
}

static void compare_all(struct comparison *c)
{
    struct frame *f;

    c->root = runner_root_new(&c->frames, c->spec->now, c->spec->inputs);
    c->root->ops->begin(c->root);
    do {
        while ((f = frame_take_ready(&c->frames)) != NULL) {
            if (f->state == FRAME_QUEUED)
                compare_step(f);
            else
                compare_end(f);
        }
    } while (end_handled(c));
    compare_unseen(c);
}

static struct json *part_of(const struct json *rules, const char *name)
{
    const struct json *part = jv_get(rules, name);

    return part ? jv_deep_copy(part) : jv_object();
}

static void open_comparison(struct comparison *c, const struct repair_spec *s, struct repair *out)
{
    *out = (struct repair){.rules = jv_object(), .disagree = jv_array()};
    *c = (struct comparison){.spec = s, .out = out, .ended = map_new(), .handled = map_new()};
    c->fresh.names = map_new();
    c->again = part_of(s->rules, "again");
    c->keep = part_of(s->rules, "keep");
    jv_set_adopt(out->rules, "again", c->again);
    jv_set_adopt(out->rules, "keep", c->keep);
    run_budget_init(&c->budget, s->now, s->seams, NULL);
    c->frames = (struct frame_host){.ops = &frame_ops,
                                    .nodes = node_table,
                                    .seams = s->seams,
                                    .seed = s->seed,
                                    .tools = (struct tool_registry *)s->tools,
                                    .budget = &c->budget,
                                    .max_frames = RUNNER_MAX_STEPS,
                                    .at_once = true,
                                    .repair = out->rules};
}

enum status repair_compare(const struct repair_spec *s, struct repair *out, struct error *err)
{
    struct comparison c;
    enum status st;

    open_comparison(&c, s, out);
    st = repair_rows_load(s->reader, s->uuid, &c.rows, err);
    if (!st)
        st = check_paths(&c, "--redo", s->redo, s->n_redo, err);
    if (!st)
        st = check_paths(&c, "--keep", s->keep, s->n_keep, err);
    if (!st)
        compare_all(&c);
    frame_free_tree(c.root);
    run_budget_deinit(&c.budget);
    map_free(c.ended, NULL);
    map_free(c.handled, NULL);
    map_free(c.fresh.names, NULL);
    repair_rows_free(c.rows);
    if (st)
        repair_deinit(out);
    return st;
}

void repair_deinit(struct repair *r)
{
    jv_unref(r->rules);
    jv_unref(r->disagree);
    r->rules = r->disagree = NULL;
}

struct json *repair_config(const struct json *was, const struct json *changed,
                           const struct repair *r, const struct json *entry)
{
    struct json *config = jv_deep_copy(was), *history = jv_get(config, "history");
    struct json *one = jv_deep_copy(entry), *value;
    const char *key;

    if (!history) {
        history = jv_array();
        jv_set_adopt(config, "history", history);
    }
    for (void *it = NULL; (it = jv_next(changed, it, &key, &value)) != NULL;) {
        const struct json *before = jv_get(config, key);

        if (before && !jv_equal(before, value))
            jv_set_adopt(one, key, jv_deep_copy(before));
        jv_set_adopt(config, key, jv_deep_copy(value));
    }
    jv_append_adopt(history, one);
    jv_set_adopt(config, "repair", jv_deep_copy(r->rules));
    return config;
}

int64_t repair_at_ms(const struct json *config)
{
    const struct json *history = jv_get(config, "history");
    size_t n = jv_size(history);

    return n > 0 ? jv_get_int(jv_get(jv_at(history, n - 1), "at_ms"), 0) : 0;
}
