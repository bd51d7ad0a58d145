/* checkpoint.c - see checkpoint.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/checkpoint.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "models/formats/safetensors.h"
#include "models/train/checkpoint_folder.h"
#include "runtime/base/memory.h"

void checkpoint_state_deinit(struct checkpoint_state *s)
{
    jv_unref(s->options);
    jv_unref(s->extra);
    s->options = s->extra = NULL;
}

static struct json *state_to_json(const struct checkpoint_state *s, const struct optimizer *o)
{
    struct json *doc = jv_object();

    jv_set_int(doc, "format", 1);
    jv_set_int(doc, "update", s->update);
    jv_set_int(doc, "optimizer_steps", o->n_steps);
    jv_set_int(doc, "next_example", s->next_example);
    jv_set_int(doc, "tokens", s->tokens);
    jv_set_int(doc, "trained_tokens", s->trained_tokens);
    jv_set_int(doc, "truncated", s->n_truncated);
    jv_set_int(doc, "skipped", s->n_skipped);
    jv_set_real(doc, "loss", s->loss);
    jv_set_real(doc, "held_out_loss", s->held_out_loss);
    jv_set_real(doc, "best_loss", s->best_loss);
    jv_set_int(doc, "best_update", s->best_update);
    jv_set_bool(doc, "probe_held", s->probe_held);
    jv_set_int(doc, "metrics_bytes", s->metrics_bytes[0]);
    jv_set_int(doc, "events_bytes", s->metrics_bytes[1]);
    jv_set_adopt(doc, "options", jv_ref(s->options));
    if (s->extra)
        jv_set_adopt(doc, "extra", jv_ref(s->extra));
    return doc;
}

static void state_from_json(const struct json *doc, struct checkpoint_state *s, struct optimizer *o)
{
    s->update = jv_get_int(jv_get(doc, "update"), 0);
    o->n_steps = jv_get_int(jv_get(doc, "optimizer_steps"), 0);
    s->next_example = jv_get_int(jv_get(doc, "next_example"), 0);
    s->tokens = jv_get_int(jv_get(doc, "tokens"), 0);
    s->trained_tokens = jv_get_int(jv_get(doc, "trained_tokens"), 0);
    s->n_truncated = jv_get_int(jv_get(doc, "truncated"), 0);
    s->n_skipped = jv_get_int(jv_get(doc, "skipped"), 0);
    s->loss = jv_get_number(jv_get(doc, "loss"), NAN);
    s->held_out_loss = jv_get_number(jv_get(doc, "held_out_loss"), NAN);
    s->best_loss = jv_get_number(jv_get(doc, "best_loss"), NAN);
    s->best_update = jv_get_int(jv_get(doc, "best_update"), -1);
    s->probe_held = jv_get_bool(jv_get(doc, "probe_held"), false);
    s->metrics_bytes[0] = jv_get_int(jv_get(doc, "metrics_bytes"), 0);
    s->metrics_bytes[1] = jv_get_int(jv_get(doc, "events_bytes"), 0);
    jv_unref(s->options);
    s->options = jv_ref(jv_get(doc, "options"));
    jv_unref(s->extra);
    s->extra = jv_ref(jv_get(doc, "extra"));
}

/* In two dimensions, vectors too. */
static void tensor_shape(const struct param *p, int32_t *n_dims, int64_t dims[2])
{
    *n_dims = 2;
    dims[0] = p->n_out;
    dims[1] = p->n_in;
}

static enum status write_flat(const struct seams *seams, const char *dir, const char *name,
                              const struct param_set *p, const float *flat, struct error *err)
{
    int32_t n = p->n;
    struct safetensor_source *t = mem_alloc((size_t)n, sizeof(*t));
    struct str path = STR_INIT;
    enum status st;

    if (!t)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a list of %d tensors", n);
    for (int32_t i = 0; i < n; i++) {
        t[i].name = p->param[i].name;
        t[i].dtype = t[i].source = DTYPE_F32;
        tensor_shape(&p->param[i], &t[i].n_dims, t[i].shape);
        t[i].data = flat + p->offset[i];
    }
    str_printf(&path, "%s/%s", dir, name);
    st = safetensors_write(str_cstr(&path), t, n, NULL, seams, err);
    str_deinit(&path);
    free(t);
    return st;
}

/* flat (n_params) in backend memory = the values of a tensor, in pieces. */
static void send_values(const struct backend *b, const struct file_tensor *t, float *to)
{
    enum { PIECE = 4096 };
    const struct lane alone = {0};
    float piece[PIECE];

    for (int64_t at = 0; at < t->n_elements; at += PIECE) {
        int64_t n = t->n_elements - at < PIECE ? t->n_elements - at : PIECE;

        file_tensor_to_f32(t, at, n, piece);
        b->upload(&alone, to + at, piece, (size_t)n * sizeof(float));
    }
}

static enum status read_flat(const char *dir, const char *name, const struct param_set *p,
                             float *flat, struct error *err)
{
    struct tensor_file *set = NULL;
    struct str path = STR_INIT;
    enum status st;

    str_printf(&path, "%s/%s", dir, name);
    st = safetensors_open_file(str_cstr(&path), &set, err);
    for (int32_t i = 0; i < p->n && !st; i++) {
        const struct file_tensor *t;
        int64_t dims[2];
        int32_t n_dims;

        tensor_shape(&p->param[i], &n_dims, dims);
        st = tensor_file_require(set, p->param[i].name, n_dims, dims, &t, err);
        if (!st)
            send_values(p->backend, t, flat + p->offset[i]);
    }
    tensor_file_close(set);
    str_deinit(&path);
    return st;
}

static enum status write_state(const struct seams *seams, const char *dir,
                               const struct checkpoint_state *s, const struct optimizer *o,
                               struct error *err)
{
    struct json *doc = state_to_json(s, o);
    struct str path = STR_INIT, text = STR_INIT;
    enum status st;

    jv_write(doc, 2, &text);
    str_putc(&text, '\n');
    str_printf(&path, "%s/" CHECKPOINT_STATE, dir);
    st = file_write_atomic(seams, str_cstr(&path), str_cstr(&text), text.len, err);
    jv_unref(doc);
    str_deinit(&path);
    str_deinit(&text);
    return st;
}

static enum status write_folder(const struct seams *seams, const char *dir,
                                const struct checkpoint_state *s, const struct optimizer *o,
                                struct error *err)
{
    const float *flat[3] = {o->master, o->m, o->v};
    const struct lane alone = {0};
    const size_t bytes = (size_t)o->n_params * sizeof(float);
    float *copy = o->backend->host_memory ? NULL : mem_alloc(bytes, 1);
    enum status st = dir_make(dir, err);

    if (!copy && !o->backend->host_memory)
        st = error_set(err, STATUS_NO_MEMORY, "no memory for a copy of the optimiser");
    for (int i = 0; i < 3 && !st; i++)
        st = write_flat(seams, dir, checkpoint_file[i], &o->params,
                        backend_view(o->backend, &alone, flat[i], copy, bytes), err);
    free(copy);
    if (!st)
        st = write_state(seams, dir, s, o, err);
    if (!st)
        st = checkpoint_write_manifest(seams, dir, err);
    return st ? st : folder_sync(seams, dir, err);
}

enum status checkpoint_write(const struct seams *seams, const char *out,
                             const struct checkpoint_state *s, const struct optimizer *o,
                             struct error *err)
{
    struct str path = STR_INIT, aside = STR_INIT, parent = STR_INIT;
    enum status st = STATUS_OK;
    int e;

    checkpoint_path(&path, out, s->update);
    str_printf(&parent, "%s/checkpoints", out);
    str_printf(&aside, "%s/.writing", str_cstr(&parent));
    if (file_exists(str_cstr(&path))) {
        if (checkpoint_verify(str_cstr(&path), NULL) == STATUS_OK)
            goto out; /* the same update gives the same state */
        folder_remove(str_cstr(&path));
    }
    folder_remove(str_cstr(&aside)); /* what a crash left */
    st = write_folder(seams, str_cstr(&aside), s, o, err);
    if (!st) {
        e = seams->file.rename(seams->file.ctx, str_cstr(&aside), str_cstr(&path));
        st = e ? error_errno(err, e, "renaming %s", str_cstr(&aside))
               : folder_sync(seams, str_cstr(&parent), err);
    }
    if (st) {
        folder_remove(str_cstr(&aside));
        error_note(err, "checkpoint of update %lld", (long long)s->update);
    }
out:
    str_deinit(&path);
    str_deinit(&aside);
    str_deinit(&parent);
    return st;
}

void checkpoint_offer_older(const char *out, int64_t update, struct error *err)
{
    size_t n;
    int64_t *list = checkpoint_list(out, &n);
    struct str path = STR_INIT, damaged = STR_INIT;

    checkpoint_path(&damaged, out, update);

    while (n-- > 0) {
        if (list[n] >= update)
            continue;
        checkpoint_path(&path, out, list[n]);
        if (checkpoint_verify(str_cstr(&path), NULL))
            continue;
        error_hint(err, "remove %s to continue from update %lld, which is intact",
                   str_cstr(&damaged), (long long)list[n]);
        break;
    }
    str_deinit(&damaged);
    str_deinit(&path);
    free(list);
}

enum status checkpoint_read(const char *out, int64_t update, struct checkpoint_state *s,
                            struct optimizer *o, struct error *err)
{
    float *flat[3] = {o->master, o->m, o->v};
    struct str path = STR_INIT, file = STR_INIT;
    struct json *doc = NULL;
    enum status st;

    checkpoint_path(&path, out, update);
    st = checkpoint_verify(str_cstr(&path), err);
    str_printf(&file, "%s/" CHECKPOINT_STATE, str_cstr(&path));
    if (!st)
        st = jv_parse_file(str_cstr(&file), CHECKPOINT_MAX_STATE, &doc, err);
    for (int i = 0; i < 3 && !st; i++)
        st = read_flat(str_cstr(&path), checkpoint_file[i], &o->params, flat[i], err);
    if (!st)
        state_from_json(doc, s, o);
    if (st == STATUS_CORRUPT)
        checkpoint_offer_older(out, update, err);
    jv_unref(doc);
    str_deinit(&path);
    str_deinit(&file);
    return st;
}

int64_t checkpoint_last(const char *out)
{
    size_t n;
    int64_t *list = checkpoint_list(out, &n);
    int64_t last = n ? list[n - 1] : -1;

    free(list);
    return last;
}

void checkpoint_prune(const char *out, int32_t n_keep, int64_t best)
{
    struct str path = STR_INIT;
    size_t n;
    int64_t *list = checkpoint_list(out, &n);

    for (size_t i = 0; n_keep > 0 && i + (size_t)n_keep < n; i++) {
        if (list[i] == best)
            continue;
        checkpoint_path(&path, out, list[i]);
        folder_remove(str_cstr(&path));
    }
    str_deinit(&path);
    free(list);
}

bool checkpoint_remove_oldest(const char *out, int64_t best)
{
    struct str path = STR_INIT;
    bool removed = false;
    size_t n;
    int64_t *list = checkpoint_list(out, &n);

    for (size_t i = 0; i + 1 < n && !removed; i++) {
        if (list[i] == best)
            continue;
        checkpoint_path(&path, out, list[i]);
        folder_remove(str_cstr(&path));
        removed = !file_exists(str_cstr(&path));
    }
    str_deinit(&path);
    free(list);
    return removed;
}
