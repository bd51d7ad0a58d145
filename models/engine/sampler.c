/* sampler.c - processors, then a draw by inversion of the cumulative distribution.
 *
 * Masses are exp(logit / T - lse), so that they sum to about 1 whatever the row. They are
 * added up in blocks of MASS_BLOCK by four fixed lanes; the draw finds its block, then its token.
 * The filters keep candidates in a heap ordered by (logit, lower id first) and pop what they
 * keep, so that top-p of a peaked row of 152k tokens costs a heapify and a few pops.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/engine/sampler.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/engine/sample_exp.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"

#define MASS_BLOCK 64
/* Keeps 1 / temperature, and logits times it, far from overflow. */
#define TEMPERATURE_MIN 1e-4f
#define TEMPERATURE_MAX 1e4f

struct sampler {
    const struct backend *backend;
    int32_t vocab;
    float *work;    /* (vocab) logits after bias and penalty */
    float *few;     /* (vocab) logits of what the filters left */
    float *mass;    /* (vocab rounded up to whole blocks) */
    float *block;   /* (one for each block) sums of mass */
    int32_t *heap;  /* (vocab) candidates */
    int32_t *kept;  /* (vocab) what the filters left, best first */
    uint64_t *seen; /* (vocab bits) of the history; all zero between calls */
    float *device;  /* (vocab + 2) backend memory for own_lse; NULL with host_memory */
};

static enum status bad(struct error *err, const char *field, double value, const char *want)
{
    return error_set(err, STATUS_INVALID, "sampling: %s is %g, but must be %s", field, value, want);
}

enum status sampling_check(const struct sampling *how, int32_t vocab, struct error *err)
{
    /* Written so that a NaN fails each test. */
    if (!(how->temperature == 0 ||
          (how->temperature >= TEMPERATURE_MIN && how->temperature <= TEMPERATURE_MAX)))
        return bad(err, "temperature", (double)how->temperature, "0, or 1e-4 to 1e4");
    if (!(how->top_p > 0 && how->top_p <= 1))
        return bad(err, "top_p", (double)how->top_p, "above 0 and at most 1");
    if (!(how->min_p >= 0 && how->min_p <= 1))
        return bad(err, "min_p", (double)how->min_p, "0 to 1");
    if (how->top_k < 0)
        return bad(err, "top_k", how->top_k, "0 (off) or more");
    if (!(how->repetition_penalty >= 0.01f && how->repetition_penalty <= 100))
        return bad(err, "repetition_penalty", (double)how->repetition_penalty, "0.01 to 100");
    if (how->n_bias < 0 || how->n_bias > SAMPLING_MAX_BIAS)
        return error_set(err, STATUS_INVALID, "sampling: %d biases, the limit is %d",
                         (int)how->n_bias, SAMPLING_MAX_BIAS);
    for (int32_t i = 0; i < how->n_bias; i++) {
        if (how->bias_id[i] < 0 || how->bias_id[i] >= vocab)
            return error_set(err, STATUS_INVALID,
                             "sampling: bias for token %d, but the vocabulary has %d tokens",
                             (int)how->bias_id[i], (int)vocab);
        if (!(how->bias[i] <= 1e4f)) /* minus infinity bans a token */
            return error_set(err, STATUS_INVALID, "sampling: bias of token %d is %g",
                             (int)how->bias_id[i], (double)how->bias[i]);
    }
    return STATUS_OK;
}

float sampling_inv_temperature(const struct sampling *how)
{
    return how->temperature == 0 ? 1.0f : 1.0f / how->temperature;
}

int64_t sampler_plan_bytes(int32_t vocab)
{
    return (int64_t)vocab * 21; /* work, few, mass, heap, kept, and the small rest */
}

enum status sampler_new(const struct backend *b, int32_t vocab, struct sampler **out,
                        struct error *err)
{
    struct sampler *s = xcalloc(1, sizeof(*s));
    size_t padded = ((size_t)vocab + MASS_BLOCK - 1) / MASS_BLOCK * MASS_BLOCK;

    s->backend = b;
    s->vocab = vocab;
    s->work = mem_aligned_alloc((size_t)vocab, sizeof(*s->work));
    s->few = mem_aligned_alloc((size_t)vocab, sizeof(*s->few));
    s->mass = mem_aligned_alloc(padded, sizeof(*s->mass));
    s->block = mem_alloc(padded / MASS_BLOCK, sizeof(*s->block));
    s->heap = mem_alloc((size_t)vocab, sizeof(*s->heap));
    s->kept = mem_alloc((size_t)vocab, sizeof(*s->kept));
    s->seen = mem_alloc(padded / 64, sizeof(*s->seen));
    if (!b->host_memory)
        s->device = b->alloc(b->ctx, ((size_t)vocab + 2) * sizeof(float));
    if (!s->work || !s->few || !s->mass || !s->block || !s->heap || !s->kept || !s->seen ||
        (!s->device && !b->host_memory)) {
        sampler_free(s);
        return error_set(err, STATUS_NO_MEMORY, "no memory to sample from %d tokens", (int)vocab);
    }
    *out = s;
    return STATUS_OK;
}

void sampler_free(struct sampler *s)
{
    if (!s)
        return;
    mem_aligned_free(s->work);
    mem_aligned_free(s->few);
    mem_aligned_free(s->mass);
    free(s->block);
    free(s->heap);
    free(s->kept);
    free(s->seen);
    if (s->device)
        s->backend->release(s->backend->ctx, s->device);
    free(s);
}

/* Four logits; values past the end of the row are minus infinity, which is never drawn. */
static sample_v4 load4(const float *x, int32_t left)
{
    sample_v4 v;

    if (left >= 4) {
        memcpy(&v, x, sizeof(v));
        return v;
    }
    v = sample_set4(-INFINITY);
    memcpy(&v, x, (size_t)left * sizeof(float));
    return v;
}

static float sum4(sample_v4 v)
{
    return (v[0] + v[2]) + (v[1] + v[3]);
}

/* The lowest id of the greatest logit. */
static int32_t argmax(const float *x, int32_t n)
{
    sample_v4 best = sample_set4(-INFINITY);
    float max;

    for (int32_t i = 0; i < n; i += 4) {
        sample_v4 v = load4(x + i, n - i);
        sample_i4 more = v > best;

        best = (sample_v4)(((sample_i4)v & more) | ((sample_i4)best & ~more));
    }
    max = best[0];
    for (int i = 1; i < 4; i++)
        max = best[i] > max ? best[i] : max;
    for (int32_t i = 0; i < n; i++)
        if (x[i] == max)
            return i;
    return 0; /* all NaN: the caller checked lse */
}

/* Fills mass and block from n logits; the sum of all. */
static double masses(struct sampler *s, const float *logits, int32_t n, float inv_t, float lse)
{
    const sample_v4 vt = sample_set4(inv_t);
    const sample_v4 vl = sample_set4(lse);
    double total = 0;

    for (int32_t b = 0; b < n; b += MASS_BLOCK) {
        sample_v4 sum = sample_set4(0);

        for (int32_t i = b; i < b + MASS_BLOCK && i < n; i += 4) {
            sample_v4 m = sample_exp4(load4(logits + i, n - i) * vt - vl);

            memcpy(s->mass + i, &m, sizeof(m)); /* padded: whole blocks */
            sum += m;
        }
        s->block[b / MASS_BLOCK] = sum4(sum);
        total += (double)s->block[b / MASS_BLOCK];
    }
    return total;
}

/* The token at which the running sum of masses passes the target. */
static int32_t draw(const struct sampler *s, int32_t n, double target)
{
    double before = 0;
    int32_t b = 0;
    int32_t last = -1;

    while ((b + 1) * MASS_BLOCK < n && !(before + (double)s->block[b] > target))
        before += (double)s->block[b++];
    for (int32_t i = b * MASS_BLOCK; i < (b + 1) * MASS_BLOCK && i < n; i++) {
        if (!(s->mass[i] > 0))
            continue;
        last = i;
        before += (double)s->mass[i];
        if (before > target)
            return i;
    }
    if (last >= 0)
        return last; /* the two ways of adding up differed by a rounding */
    for (int32_t i = n - 1; i > 0; i--)
        if (s->mass[i] > 0)
            return i;
    return 0;
}

static double unit_of(const struct sample_row *row)
{
    struct rng_block r = rng_philox(row->seed, (uint32_t)row->call_id,
                                    (uint32_t)(row->call_id >> 32), (uint32_t)row->position, 0);

    return rng_unit_double(r.word[0], r.word[1]);
}

/* Copies the row and changes its logits; true when one changed. */
static bool apply_bias_and_penalty(struct sampler *s, const struct sample_row *row)
{
    const struct sampling *how = row->how;
    bool changed = false;

    memcpy(s->work, row->logits, (size_t)s->vocab * sizeof(*s->work));
    for (int32_t i = 0; i < how->n_bias; i++) {
        s->work[how->bias_id[i]] += how->bias[i];
        changed = changed || how->bias[i] != 0;
    }
    if (how->repetition_penalty == 1.0f)
        return changed;
    for (int32_t i = 0; i < row->n_history; i++) {
        uint32_t id = (uint32_t)row->history[i];
        uint64_t bit = (uint64_t)1 << (id & 63);
        float x = s->work[id];

        if (s->seen[id >> 6] & bit)
            continue; /* once for each id, however often it occurs */
        s->seen[id >> 6] |= bit;
        s->work[id] = x < 0 ? x * how->repetition_penalty : x / how->repetition_penalty;
        changed = true;
    }
    for (int32_t i = 0; i < row->n_history; i++)
        s->seen[(uint32_t)row->history[i] >> 6] = 0;
    return changed;
}

static bool better(const float *x, int32_t a, int32_t b)
{
    return x[a] > x[b] || (x[a] == x[b] && a < b);
}

static void sift_down(int32_t *heap, int32_t n, int32_t at, const float *x)
{
    int32_t moving = heap[at];

    for (int32_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && better(x, heap[child + 1], heap[child]))
            child++;
        if (!better(x, heap[child], moving))
            break;
        heap[at] = heap[child];
    }
    heap[at] = moving;
}

/* Takes the best candidate off the heap of n. */
static int32_t pop(struct sampler *s, int32_t *n, const float *logits)
{
    int32_t best = s->heap[0];

    s->heap[0] = s->heap[--*n];
    sift_down(s->heap, *n, 0, logits);
    return best;
}

/* How many of the first n of `kept` hold at least `share` of `of`. */
static int32_t cut_top_p(const struct sampler *s, int32_t n, double share, double of)
{
    double sum = 0;

    for (int32_t i = 0; i < n; i++) {
        sum += (double)s->mass[s->kept[i]];
        if (sum >= share * of)
            return i + 1;
    }
    return n;
}

/* Fills `kept`, best first, with the tokens that pass top-k, top-p and min-p; returns their number.
 */
static int32_t filter(struct sampler *s, const float *logits, const struct sampling *how,
                      float inv_t, float lse)
{
    double total = masses(s, logits, s->vocab, inv_t, lse);
    bool has_k = how->top_k > 0 && how->top_k < s->vocab;
    int32_t limit = has_k ? how->top_k : s->vocab;
    int32_t left = s->vocab;
    int32_t n = 0;
    double sum = 0;
    float floor;

    for (int32_t i = 0; i < left; i++)
        s->heap[i] = i;
    for (int32_t i = left / 2 - 1; i >= 0; i--)
        sift_down(s->heap, left, i, logits);
    while (n < limit) {
        s->kept[n] = pop(s, &left, logits);
        sum += (double)s->mass[s->kept[n++]];
        /* No further token can be kept. With top-k only its own count ends the loop, since top-p is
         * a share of the top-k tokens. */
        if (!has_k && how->top_p < 1 && sum >= (double)how->top_p * total)
            break;
        if (how->top_p >= 1 && s->mass[s->kept[n - 1]] < how->min_p * s->mass[s->kept[0]])
            break;
    }
    if (has_k && how->top_p < 1)
        n = cut_top_p(s, n, (double)how->top_p, sum);
    floor = how->min_p * s->mass[s->kept[0]];
    while (n > 1 && s->mass[s->kept[n - 1]] < floor)
        n--;
    return n;
}

/* Of logits in host memory, by the op, so that its bits are those of the row's. */
static float own_lse(const struct sampler *s, const float *logits, int32_t n, float inv_t)
{
    const struct backend *b = s->backend;
    const struct lane lane = {0};
    float lse, *d = s->device;

    if (b->host_memory) {
        b->logsumexp(&lane, logits, n, 1, n, &inv_t, &lse);
        return lse;
    }
    b->upload(&lane, d + 2, logits, (size_t)n * sizeof(float));
    b->upload(&lane, d, &inv_t, sizeof(float));
    b->logsumexp(&lane, d + 2, n, 1, n, d, d + 1);
    b->download(&lane, &lse, d + 1, sizeof(float));
    return lse;
}

/* Draws among the first n of `kept`: the id, and its log-prob among them. */
static bool pick_kept(struct sampler *s, const struct sample_row *row, const float *logits,
                      int32_t n, float inv_t, struct sample *out)
{
    double total;
    int32_t at;
    float lse;

    for (int32_t i = 0; i < n; i++)
        s->few[i] = logits[s->kept[i]];
    lse = own_lse(s, s->few, n, inv_t);
    if (!isfinite(lse))
        return false;
    total = masses(s, s->few, n, inv_t, lse);
    at = draw(s, n, unit_of(row) * total);
    out->id = s->kept[at];
    out->logp_sampled = s->few[at] * inv_t - lse;
    return true;
}

static void pick_full(struct sampler *s, const struct sample_row *row, const float *logits,
                      float inv_t, float lse, struct sample *out)
{
    if (row->how->temperature == 0)
        out->id = argmax(logits, s->vocab);
    else
        out->id = draw(s, s->vocab, unit_of(row) * masses(s, logits, s->vocab, inv_t, lse));
    out->logp_sampled = logits[out->id] * inv_t - lse;
}

static bool has_filters(const struct sampling *how, int32_t vocab)
{
    return how->temperature != 0 &&
           ((how->top_k > 0 && how->top_k < vocab) || how->top_p < 1 || how->min_p > 0);
}

bool sampler_pick(struct sampler *s, const struct sample_row *row, struct sample *out)
{
    const struct sampling *how = row->how;
    float inv_t = sampling_inv_temperature(how);
    const float *logits = row->logits;
    float lse = row->lse;
    int32_t n = s->vocab;

    if (!isfinite(lse))
        return false;
    out->processed = false;
    if (how->n_bias > 0 || how->repetition_penalty != 1.0f) {
        out->processed = apply_bias_and_penalty(s, row);
        logits = s->work;
        if (out->processed)
            lse = own_lse(s, logits, s->vocab, inv_t);
        if (!isfinite(lse))
            return false;
    }
    if (has_filters(how, s->vocab))
        n = filter(s, logits, how, inv_t, lse);
    if (n == s->vocab) {
        pick_full(s, row, logits, inv_t, lse, out);
    } else {
        out->processed = true;
        if (!pick_kept(s, row, logits, n, inv_t, out))
            return false;
    }
    /* The same two roundings as the training forward, which must give the same bits. */
    out->logp = row->logits[out->id] * inv_t - row->lse;
    if (!out->processed)
        out->logp_sampled = out->logp;
    return true;
}
