/* rollout.c - packs an episode during play: appends to one buffer, formats nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/rollout.h"

#include <string.h>

#include "agents/rollout_format.h"
#include "runtime/base/rng.h"

#define VARINT_MAX 10
#define BLOCK_IDS  48

uint64_t rollout_call_base(const char *path, int32_t attempt)
{
    return journal_call_id(path, attempt);
}

uint64_t rollout_call_id(uint64_t call_base, int64_t turn)
{
    return rng_derive(call_base, (uint64_t)turn);
}

void rollout_writer_init(struct rollout_writer *w)
{
    *w = (struct rollout_writer){.policy_version = 0};
    str_init(&w->out, ROLLOUT_MAX_BYTES);
}

void rollout_writer_deinit(struct rollout_writer *w)
{
    str_deinit(&w->out);
}

static size_t varint(unsigned char *at, uint64_t v)
{
    size_t n = 0;

    while (v >= 0x80) {
        at[n++] = (unsigned char)(v | 0x80);
        v >>= 7;
    }
    at[n++] = (unsigned char)v;
    return n;
}

static uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static void put_number(struct str *out, uint64_t v)
{
    unsigned char b[VARINT_MAX];
    size_t n = varint(b, v);

    str_append(out, (const char *)b, n);
}

static void put_signed(struct str *out, int64_t v)
{
    put_number(out, zigzag(v));
}

static void put_text(struct str *out, const char *text, size_t n)
{
    put_number(out, n);
    str_append(out, text, n);
}

static void put_words(struct str *out, const char *text)
{
    put_text(out, text, strlen(text));
}

static void put_bits(struct str *out, uint64_t bits, size_t bytes)
{
    char b[8];

    for (size_t i = 0; i < bytes; i++)
        b[i] = (char)(bits >> 8 * i);
    str_append(out, b, bytes);
}

static void put_double(struct str *out, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    put_bits(out, bits, 8);
}

static void put_floats(struct str *out, const float *v, int32_t n)
{
    char block[64 * 4];

    for (int32_t i = 0; i < n;) {
        size_t k = 0;

        for (; i < n && k < sizeof(block); i++) {
            uint32_t bits;

            memcpy(&bits, &v[i], sizeof(bits));
            for (unsigned s = 0; s < 32; s += 8)
                block[k++] = (char)(bits >> s);
        }
        str_append(out, block, k);
    }
}

static void put_ids(struct str *out, const int32_t *id, int32_t n)
{
    unsigned char block[BLOCK_IDS * VARINT_MAX];

    put_number(out, (uint64_t)n);
    for (int32_t i = 0; i < n;) {
        size_t k = 0;

        for (int32_t end = n - i > BLOCK_IDS ? i + BLOCK_IDS : n; i < end; i++)
            k += varint(block + k, (uint32_t)id[i]);
        str_append(out, (const char *)block, k);
    }
}

void rollout_begin(struct rollout_writer *w, const struct rollout_head *h)
{
    struct str *out = &w->out;
    float sampling[4] = {h->sampling.temperature, h->sampling.top_p, h->sampling.min_p,
                         h->sampling.repetition_penalty};

    str_clear(out);
    w->policy_version = 0;
    str_putc(out, ROLLOUT_VERSION);
    str_putc(out, (char)((h->env ? ROLLOUT_HAS_ENV : 0) | (h->backend ? ROLLOUT_HAS_BACKEND : 0)));
    put_words(out, h->path);
    if (h->env) {
        put_words(out, h->env->name);
        put_signed(out, h->params.horizon);
        put_double(out, h->params.noise);
        /* Profile and faults in one number; with all kinds of faults it is the profile. */
        put_number(out,
                   (uint64_t)h->params.profile + ROLLOUT_PROFILES * (uint64_t)h->params.faults);
        put_number(out, (uint64_t)h->params.ablation);
        put_number(out, h->params.task_seed);
        put_number(out, h->params.fault_seed);
    }
    if (h->backend)
        put_words(out, h->backend);
    put_number(out, h->sample_seed);
    put_number(out, h->call_base);
    put_floats(out, sampling, 4);
    put_signed(out, h->sampling.top_k);
}

void rollout_model(struct rollout_writer *w, const struct token_record *t, bool new_chain,
                   const char *text)
{
    bool policy = t->policy_version != w->policy_version;
    struct str *out = &w->out;

    str_putc(out, ROLLOUT_MODEL);
    str_putc(out,
             (char)((new_chain ? ROLLOUT_NEW_CHAIN : ROLLOUT_HAS_PREFIX) |
                    (policy ? ROLLOUT_HAS_POLICY : 0) |
                    (t->logp_sampled ? ROLLOUT_HAS_SAMPLED : 0) | (text ? ROLLOUT_HAS_TEXT : 0)));
    if (!new_chain)
        put_number(out, (uint64_t)t->prefix_len);
    if (policy)
        put_signed(out, t->policy_version);
    w->policy_version = t->policy_version;
    put_number(out, (uint64_t)t->finish);
    put_ids(out, t->delta, t->n_delta);
    put_ids(out, t->ids, t->n_ids);
    put_floats(out, t->logp, t->n_ids);
    if (t->logp_sampled)
        put_floats(out, t->logp_sampled, t->n_ids);
    if (text)
        put_words(out, text);
}

void rollout_env_call(struct rollout_writer *w, const struct env_call *c, const char *text,
                      size_t n, const char *result, size_t n_result)
{
    struct str *out = &w->out;

    str_putc(out, ROLLOUT_ENV);
    put_number(out, (uint64_t)(c->tool < 0 ? 0 : c->tool + 1));
    if (c->tool < 0) {
        put_text(out, text, n);
    } else {
        for (int32_t i = 0; i < ENV_MAX_ARGS; i++) {
            const struct env_value *v = &c->arg[i];

            /* A tag: 0 is the number 0, 1 a text follows, 2 a number follows. */
            put_number(out, v->is_text ? 1 : v->number ? 2 : 0);
            if (v->is_text)
                put_words(out, v->text);
            else if (v->number)
                put_signed(out, v->number);
        }
    }
    put_text(out, result, n_result);
}

static void put_json(struct str *out, const struct json *v)
{
    struct str text = {.max = ROLLOUT_MAX_BYTES};

    jv_write(v, 0, &text);
    if (!str_ok(&text))
        out->failed = true;
    put_text(out, str_cstr(&text), text.len);
    str_deinit(&text);
}

void rollout_tool(struct rollout_writer *w, const char *name, const struct json *arguments,
                  const struct json *result)
{
    str_putc(&w->out, ROLLOUT_TOOL);
    put_words(&w->out, name);
    put_json(&w->out, arguments);
    put_json(&w->out, result);
}
