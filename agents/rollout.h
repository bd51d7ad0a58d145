/* rollout.h - the record of an episode: an agent in an environment without a journal.
 *
 * The record holds every model call (token_record) and every tool call in order. Unpacking gives
 * the same steps as a journaled run, so `show` reads both. Values that can be computed (paths,
 * prefix lengths, call ids) are not stored.
 *
 * Call ids: the id of a journaled step is derived from the SHA-256 of its path. An episode hashes
 * only its own path; the call of turn n has the id rng_derive(hash, n).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_ROLLOUT_H
#define TROUPE_AGENTS_ROLLOUT_H

#include "agents/agent.h"
#include "runtime/store/query.h"

/* Shared by all calls of an episode. Strings are lent. */
struct rollout_head {
    const char *path;                /* of the episode */
    const struct env_ops *env;       /* NULL: none */
    struct env_params params;        /* unused without env */
    uint64_t sample_seed, call_base; /* call_base: rollout_call_base(path, attempt) */
    struct sampling sampling;        /* its bias is not recorded */
    const char *backend;             /* may be NULL */
};
uint64_t rollout_call_base(const char *path, int32_t attempt);
uint64_t rollout_call_id(uint64_t call_base, int64_t turn);

/* Grows during the episode; owned by the driver. */
struct rollout_writer {
    struct str out;
    int64_t policy_version; /* of the last call written */
};
#define ROLLOUT_MAX_BYTES ((size_t)64 << 20)
void rollout_writer_init(struct rollout_writer *w);
void rollout_writer_deinit(struct rollout_writer *w);
/* Starts a new record and reuses the memory of the last one. */
void rollout_begin(struct rollout_writer *w, const struct rollout_head *h);
/* One model call; path, parent, seed, call_id and sampling follow from head and order. new_chain:
 * the context restarted (prefix_len is 0). `text` is the reply of a text model. */
void rollout_model(struct rollout_writer *w, const struct token_record *t, bool new_chain,
                   const char *text);
/* One call of the environment in compact form; `text` is the model's text if it was not a call
 * (tool -1). */
void rollout_env_call(struct rollout_writer *w, const struct env_call *c, const char *text,
                      size_t n, const char *result, size_t n_result);
/* Any other tool call, and every call of the JSON codec. */
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
/* STATUS_CORRUPT: the bytes are not a valid record; `step` was called for the steps before. */
MUST_CHECK enum status rollout_unpack(const void *rec, size_t n,
                                      bool (*step)(void *ctx, const struct rollout_step *s),
                                      void *ctx, struct error *err);

/* Only the head of a record, without its path and its backend. */
MUST_CHECK enum status rollout_unpack_head(const void *rec, size_t n, struct rollout_head *out,
                                           struct error *err);

#endif
