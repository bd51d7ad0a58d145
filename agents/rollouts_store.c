/* rollouts_store.c - episodes of training in the store; only those of the newest updates are kept.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "agents/rollouts_internal.h"
#include "runtime/base/memory.h"

static bool take_uuid(void *ctx, const struct run_row *r)
{
    struct rollouts_store *s = ctx;

    if (strcmp(r->kind, "train") != 0)
        return true;
    s->uuid = xrealloc(s->uuid, (size_t)(s->n_uuids + 1) * sizeof(*s->uuid));
    memcpy(s->uuid[s->n_uuids++], r->uuid, sizeof(*s->uuid));
    return true;
}

/* The runs of an earlier process, oldest first. */
static enum status find_runs(struct rollouts_store *s, struct error *err)
{
    struct store_reader *q = NULL;
    enum status st = store_reader_open(s->store, &q, err);

    if (st)
        return st;
    s->uuid = xcalloc(1, sizeof(*s->uuid));
    st = query_runs(q, 0, 0, take_uuid, s, err);
    store_reader_close(q);
    for (int32_t i = 0; i < s->n_uuids / 2; i++) {
        char other[37];

        memcpy(other, s->uuid[i], sizeof(other));
        memcpy(s->uuid[i], s->uuid[s->n_uuids - 1 - i], sizeof(other));
        memcpy(s->uuid[s->n_uuids - 1 - i], other, sizeof(other));
    }
    return st;
}

static enum status remove_oldest(struct rollouts_store *s, struct error *err)
{
    enum status st = STATUS_OK;

    while (!st && s->keep > 0 && s->n_uuids >= s->keep) {
        st = store_remove_run(s->store, s->uuid[0], err);
        if (st == STATUS_NOT_FOUND)
            st = STATUS_OK;
        memmove(s->uuid, s->uuid + 1, (size_t)(s->n_uuids - 1) * sizeof(*s->uuid));
        s->n_uuids--;
    }
    return st;
}

/* The rate, or one rate for each environment of a mixed run. */
static void put_noise(struct json *config, const struct curriculum_phase *phase, int32_t n_env)
{
    struct json *list;

    if (n_env == 1) {
        jv_set_real(config, "noise", phase->noise[0]);
        return;
    }
    list = jv_array();
    for (int32_t i = 0; i < n_env; i++)
        jv_append_adopt(list, jv_real(phase->noise[i]));
    jv_set_adopt(config, "noise_of", list);
}

static enum status create(struct rollouts_store *s, const struct rollout_request *r,
                          const struct rollouts_options *o, struct error *err)
{
    const struct curriculum_phase *phase = curriculum_at(o->curriculum, r->update);
    const struct model *m = o->model;
    struct json *config = jv_object();
    struct run_spec spec = {.kind = "train",
                            .name = s->name,
                            .config = config,
                            .seed = r->sample_seed,
                            .model_hash = &m->info.hash,
                            .backend = m->info.backend};
    enum status st;

    jv_set_int(config, "update", r->update);
    jv_set_int(config, "groups", r->n_groups);
    jv_set_int(config, "group_size", r->group_size);
    jv_set_int(config, "horizon", phase->horizon);
    put_noise(config, phase, o->n_env);
    jv_set_bool(config, "shared_faults", o->shared_faults);
    jv_set_real(config, "temperature", (double)r->temperature);
    st = run_create(s->store, &spec, &s->run, err);
    jv_unref(config);
    if (st)
        return st;
    s->uuid = xrealloc(s->uuid, (size_t)(s->n_uuids + 1) * sizeof(*s->uuid));
    memcpy(s->uuid[s->n_uuids++], run_uuid(s->run), sizeof(*s->uuid));
    return STATUS_OK;
}

enum status rollouts_store_begin(struct rollouts_store *s, const struct rollout_request *r,
                                 const struct rollouts_options *o, struct error *err)
{
    enum status st = STATUS_OK;

    if (!s->store || (s->run && s->update == r->update))
        return STATUS_OK; /* refills join their update */
    rollouts_store_close(s);
    if (!s->uuid)
        st = find_runs(s, err);
    if (!st)
        st = remove_oldest(s, err);
    if (!st)
        st = create(s, r, o, err);
    s->update = r->update;
    return st;
}

void rollouts_store_put(struct rollouts_store *s, const struct episode *e, enum step_state state,
                        const struct env_verdict *v, int64_t now_ms)
{
    struct json *verdict;

    if (!s->run)
        return;
    verdict = v ? env_verdict_json(v) : jv_null();
    episode_record(s->run, e, state, v, verdict, now_ms);
    jv_unref(verdict);
}

enum status rollouts_store_end(struct rollouts_store *s, bool ok, struct error *err)
{
    if (!s->run)
        return STATUS_OK;
    s->ok = ok;
    return journal_sync(s->run, err);
}

void rollouts_store_close(struct rollouts_store *s)
{
    if (!s->run)
        return;
    run_set_status(s->run, s->ok ? RUN_OK : RUN_CANCELLED, NULL, NULL);
    run_close(s->run);
    s->run = NULL;
}
