/* rollout.h - one recorded episode: an agent in an environment without a journal.
 *
 * The record holds every model call (token_record) and every tool call in order; unpacked it gives
 * the same steps as a journaled run, so `show` reads both. Numbers that follow (paths, positions
 * taken over, call ids) are not stored but counted again.
 *
 * Call ids: a journaled step draws its id from SHA-256 of its path. An episode hashes its own path
 * once; the call of turn n has rng_derive(that, n), which costs no hash a call.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_ROLLOUT_H
#define TROUPE_AGENTS_ROLLOUT_H

#include "agents/agent.h"
#include "runtime/store/query.h"

/* What all calls of an episode share. Strings are lent. */
struct rollout_head {
    const char *path;                /* of the episode */
    const struct env_ops *env;       /* NULL: none */
    struct env_params params;        /* without meaning when there is no env */
    uint64_t sample_seed, call_base; /* call_base: rollout_call_base(path, attempt) */
    struct sampling sampling;        /* without bias */
    const char *backend;             /* may be NULL */
};
uint64_t rollout_call_base(const char *path, int32_t attempt);
uint64_t rollout_call_id(uint64_t call_base, int64_t turn);

/* Grows while the agent works; owned by the driver. */
struct rollout_writer {
    struct str out;
    int64_t policy_version; /* of the last call written */
};
#define ROLLOUT_MAX_BYTES ((size_t)64 << 20)
void rollout_writer_init(struct rollout_writer *w);
void rollout_writer_deinit(struct rollout_writer *w);
/* Forgets the last episode, keeps the memory. */
void rollout_begin(struct rollout_writer *w, const struct rollout_head *h);
/* One model call; path, parent, seed, call_id and sampling follow from head and order. new_chain:
 * the context began again (prefix_len is 0). A text model's words stand in `text`. */
void rollout_model(struct rollout_writer *w, const struct token_record *t, bool new_chain,
                   const char *text);
/* One call of the environment in compact form; `text` is what the model wrote when it was no call
 * (tool -1). */
void rollout_env_call(struct rollout_writer *w, const struct env_call *c, const char *text,
                      size_t n, const char *result, size_t n_result);
/* Any other call, or one of the JSON codec. */
void rollout_tool(struct rollout_writer *w, const char *name, const struct json *arguments,
                  const struct json *result);

/* Packed episode: token records and calls in order. Everything is lent for the call. */
struct rollout_step {
    bool is_tool;
    const char *path;
    struct token_record tokens;     /* model calls */
    const char *text;               /* model calls of text models; else NULL */
    const char *name;               /* tool calls */
    const char *arguments, *result; /* JSON text; a result of the compact codec is a string */
};
/* STATUS_CORRUPT for bytes that are no record; steps before the fault were handed out. */
MUST_CHECK enum status rollout_unpack(const void *rec, size_t n,
                                      bool (*step)(void *ctx, const struct rollout_step *s),
                                      void *ctx, struct error *err);

/* The head of a record alone, without its path and its backend. */
MUST_CHECK enum status rollout_unpack_head(const void *rec, size_t n, struct rollout_head *out,
                                           struct error *err);

#endif
