/* rollout_unpack.c - unpacks an episode into steps; its input is untrusted.
 *
 * Every count is checked against the remaining bytes before memory is allocated for it, so that a
 * hostile record costs at most a small multiple of its own size. An unpacked entry lives in an
 * arena that is reset before the next one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "agents/rollout.h"
#include "agents/rollout_format.h"
#include "runtime/base/memory.h"
#include "runtime/store/path.h"

#define MAX_POSITIONS (1 << 30)

/* The remaining bytes. Once `bad` is set it stays set, and everything reads as 0. */
struct unpacker {
    const unsigned char *at, *end;
    bool bad;
    struct arena *arena;
    struct rollout_head head;
    struct str head_path, path, parent;
    int64_t turn;      /* the open turn; -1 before the first */
    int32_t tool;      /* the next index in it */
    int32_t positions; /* of the chain so far */
    int64_t policy_version;
};

static uint64_t get_number(struct unpacker *u)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64 && u->at < u->end; shift += 7) {
        unsigned char b = *u->at++;

        if (shift == 63 && b > 1)
            break;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
    u->bad = true;
    u->at = u->end;
    return 0;
}

static int64_t get_signed(struct unpacker *u)
{
    uint64_t v = get_number(u);

    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static int32_t get_below(struct unpacker *u, uint64_t limit)
{
    uint64_t v = get_number(u);

    if (v >= limit)
        u->bad = true;
    return u->bad ? 0 : (int32_t)v;
}

static int32_t get_i32(struct unpacker *u)
{
    int64_t v = get_signed(u);

    if (v < INT32_MIN || v > INT32_MAX)
        u->bad = true;
    return u->bad ? 0 : (int32_t)v;
}

static unsigned get_byte(struct unpacker *u)
{
    if (u->bad || u->at == u->end) {
        u->bad = true;
        return 0;
    }
    return *u->at++;
}

/* A count of things that take at least `each` bytes. */
static size_t get_count(struct unpacker *u, size_t each)
{
    uint64_t n = get_number(u);

    if (n > (uint64_t)(u->end - u->at) / each || n > INT32_MAX)
        u->bad = true;
    return u->bad ? 0 : (size_t)n;
}

/* Any bytes: a model's output may not be valid text. Adds a NUL. */
static const char *get_bytes(struct unpacker *u, size_t *n_out)
{
    size_t n = get_count(u, 1);
    char *s;

    if (u->bad)
        n = 0;
    s = arena_alloc(u->arena, n + 1);
    memcpy(s, u->at, n);
    u->at += n;
    *n_out = n;
    return s;
}

static const char *get_text(struct unpacker *u, size_t *n_out)
{
    size_t n;
    const char *s = get_bytes(u, &n);

    if (memchr(s, 0, n)) {
        u->bad = true;
        n = 0;
        s = "";
    }
    if (n_out)
        *n_out = n;
    return s;
}

static uint64_t get_bits(struct unpacker *u, size_t bytes)
{
    uint64_t bits = 0;

    if (u->bad || (size_t)(u->end - u->at) < bytes) {
        u->bad = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        bits |= (uint64_t)*u->at++ << 8 * i;
    return bits;
}

static float get_float(struct unpacker *u)
{
    uint32_t bits = (uint32_t)get_bits(u, 4);
    float v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

static const float *get_floats(struct unpacker *u, int32_t n)
{
    float *v;

    if (u->bad || (size_t)n > (size_t)(u->end - u->at) / 4) {
        u->bad = true;
        return NULL;
    }
    v = arena_alloc(u->arena, (n ? (size_t)n : 1) * sizeof(*v));
    for (int32_t i = 0; i < n; i++)
        v[i] = get_float(u);
    return v;
}

static const int32_t *get_ids(struct unpacker *u, int32_t *n_out)
{
    size_t n = get_count(u, 1);
    int32_t *id = arena_alloc(u->arena, (n ? n : 1) * sizeof(*id));

    for (size_t i = 0; i < n && !u->bad; i++)
        id[i] = get_below(u, (uint64_t)INT32_MAX + 1);
    *n_out = (int32_t)n;
    return id;
}

static void get_params(struct unpacker *u)
{
    struct rollout_head *h = &u->head;
    uint64_t noise, both;

    h->env = env_find(get_text(u, NULL));
    if (!h->env)
        u->bad = true;
    h->params.horizon = get_i32(u);
    noise = get_bits(u, 8);
    memcpy(&h->params.noise, &noise, sizeof(noise));
    both = get_number(u);
    h->params.profile = (enum env_profile)(both % ROLLOUT_PROFILES);
    h->params.faults = (uint32_t)(both / ROLLOUT_PROFILES);
    h->params.ablation = (enum env_ablation)get_below(u, ENV_ABLATIONS);
    h->params.task_seed = get_number(u);
    h->params.fault_seed = get_number(u);
}

static void get_head(struct unpacker *u, struct arena *keep)
{
    struct rollout_head *h = &u->head;
    unsigned version = get_byte(u), flags = get_byte(u);

    if (version != ROLLOUT_VERSION || flags & ~(unsigned)ROLLOUT_HEAD_FLAGS)
        u->bad = true;
    if (u->bad)
        return;
    str_puts(&u->head_path, get_text(u, NULL));
    if (flags & ROLLOUT_HAS_ENV)
        get_params(u);
    if (flags & ROLLOUT_HAS_BACKEND)
        h->backend = arena_strdup(keep, get_text(u, NULL));
    h->sample_seed = get_number(u);
    h->call_base = get_number(u);
    h->sampling.temperature = get_float(u);
    h->sampling.top_p = get_float(u);
    h->sampling.min_p = get_float(u);
    h->sampling.repetition_penalty = get_float(u);
    h->sampling.top_k = get_i32(u);
}

/* path/turn:n/model:0 */
static void model_path(const struct unpacker *u, int64_t turn, struct str *out)
{
    struct str base = STR_INIT;

    path_turn(&base, str_cstr(&u->head_path), turn);
    path_model(out, str_cstr(&base), 0);
    str_deinit(&base);
}

static void get_prefix(struct unpacker *u, unsigned flags, struct token_record *t)
{
    bool fresh = flags & ROLLOUT_NEW_CHAIN;

    if (fresh == !!(flags & ROLLOUT_HAS_PREFIX) || (!fresh && u->turn <= 0))
        u->bad = true;
    if (u->bad || fresh)
        return;
    t->prefix_len = get_below(u, (uint64_t)u->positions + 1);
    model_path(u, u->turn - 1, &u->parent);
    t->parent = str_cstr(&u->parent);
}

static void get_model(struct unpacker *u, struct rollout_step *s)
{
    const struct rollout_head *h = &u->head;
    struct token_record *t = &s->tokens;
    unsigned flags = get_byte(u);
    int64_t positions;

    u->turn++;
    u->tool = 0;
    if (flags & ~(unsigned)ROLLOUT_MODEL_FLAGS)
        u->bad = true;
    get_prefix(u, flags, t);
    if (flags & ROLLOUT_HAS_POLICY)
        u->policy_version = get_signed(u);
    t->finish = get_below(u, FINISH_ERROR + 1);
    t->delta = get_ids(u, &t->n_delta);
    t->ids = get_ids(u, &t->n_ids);
    t->logp = get_floats(u, t->n_ids);
    if (flags & ROLLOUT_HAS_SAMPLED)
        t->logp_sampled = get_floats(u, t->n_ids);
    if (flags & ROLLOUT_HAS_TEXT)
        s->text = get_text(u, NULL);
    positions = (int64_t)t->prefix_len + t->n_delta + t->n_ids;
    if (u->bad || positions > MAX_POSITIONS) {
        u->bad = true;
        return;
    }
    u->positions = (int32_t)positions;
    t->policy_version = u->policy_version;
    t->seed = h->sample_seed;
    t->call_id = rollout_call_id(h->call_base, u->turn);
    t->temperature = h->sampling.temperature;
    t->top_p = h->sampling.top_p;
    t->min_p = h->sampling.min_p;
    t->repetition_penalty = h->sampling.repetition_penalty;
    t->top_k = h->sampling.top_k;
    t->backend = h->backend;
    model_path(u, u->turn, &u->path);
    s->path = t->path = str_cstr(&u->path);
}

static void get_value(struct unpacker *u, struct env_value *v)
{
    const char *text;
    size_t n;

    switch (get_below(u, 3)) {
    case 1:
        text = get_text(u, &n);
        if (n >= sizeof(v->text)) {
            u->bad = true;
            break;
        }
        v->is_text = true;
        memcpy(v->text, text, n);
        break;
    case 2:
        v->number = get_signed(u);
        break;
    default:
        break;
    }
}

static const char *json_text(struct unpacker *u, struct json *adopt)
{
    struct str text = STR_INIT;
    const char *kept;

    jv_write(adopt, 0, &text);
    kept = arena_strdup(u->arena, str_cstr(&text));
    str_deinit(&text);
    jv_unref(adopt);
    return kept;
}

static void get_env_call(struct unpacker *u, struct rollout_step *s)
{
    const struct env_ops *env = u->head.env;
    struct env_call c = {.tool = -1};
    struct json *arguments = NULL;
    const char *text;
    size_t n;

    if (!env) {
        u->bad = true;
        return;
    }
    c.tool = get_below(u, (uint64_t)env->n_tools + 1) - 1;
    s->name = c.tool < 0 ? "invalid" : env->tools[c.tool].name;
    if (c.tool < 0) {
        text = get_bytes(u, &n);
        arguments = jv_object();
        jv_set_adopt(arguments, "text", jv_string_n(text, n));
    } else {
        for (int32_t i = 0; i < ENV_MAX_ARGS; i++)
            get_value(u, &c.arg[i]);
        arguments = env_call_arguments(env, &c);
    }
    s->arguments = json_text(u, arguments);
    text = get_text(u, &n);
    s->result = json_text(u, jv_string_n(text, n));
}

static void get_tool(struct unpacker *u, struct rollout_step *s)
{
    struct str base = STR_INIT;

    s->is_tool = true;
    if (s->name == NULL) {
        s->name = get_text(u, NULL);
        s->arguments = get_text(u, NULL);
        s->result = get_text(u, NULL);
    }
    path_turn(&base, str_cstr(&u->head_path), u->turn < 0 ? 0 : u->turn);
    path_tool(&u->path, str_cstr(&base), u->tool++, s->name);
    str_deinit(&base);
    s->path = str_cstr(&u->path);
}

/* A script without a model has no turns: each of its calls is one. */
static void open_turn_without_model(struct unpacker *u)
{
    if (u->positions < 0) {
        u->turn++;
        u->tool = 0;
    }
}

static void get_step(struct unpacker *u, struct rollout_step *s)
{
    unsigned kind = get_byte(u);

    if (kind == ROLLOUT_MODEL) {
        get_model(u, s);
        return;
    }
    open_turn_without_model(u);
    if (kind == ROLLOUT_ENV)
        get_env_call(u, s);
    else if (kind != ROLLOUT_TOOL)
        u->bad = true;
    if (!u->bad)
        get_tool(u, s);
}

static void open_record(struct unpacker *u, const void *rec, size_t n)
{
    *u = (struct unpacker){.at = rec,
                           .end = (const unsigned char *)rec + n,
                           .arena = arena_new(4096),
                           .head_path = STR_INIT,
                           .path = STR_INIT,
                           .parent = STR_INIT,
                           .turn = -1,
                           .positions = -1};
}

static enum status close_record(struct unpacker *u, struct error *err)
{
    str_deinit(&u->head_path);
    str_deinit(&u->path);
    str_deinit(&u->parent);
    arena_free(u->arena);
    if (u->bad)
        return error_set(err, STATUS_CORRUPT, "an episode record is damaged");
    return STATUS_OK;
}

enum status rollout_unpack_head(const void *rec, size_t n, struct rollout_head *out,
                                struct error *err)
{
    struct unpacker u;
    enum status st;

    open_record(&u, rec, n);
    get_head(&u, u.arena);
    st = close_record(&u, err);
    if (st)
        return st;
    *out = u.head;
    out->path = out->backend = NULL;
    return STATUS_OK;
}

enum status rollout_unpack(const void *rec, size_t n,
                           bool (*step)(void *ctx, const struct rollout_step *s), void *ctx,
                           struct error *err)
{
    struct unpacker u;
    struct arena *keep = arena_new(1024);
    bool more = true;

    open_record(&u, rec, n);
    get_head(&u, keep);
    while (!u.bad && more && u.at < u.end) {
        struct rollout_step s = {.is_tool = false};

        arena_reset(u.arena);
        get_step(&u, &s);
        if (!u.bad)
            more = step(ctx, &s);
    }
    arena_free(keep);
    return close_record(&u, err);
}
