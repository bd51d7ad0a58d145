/* query.h - queries over the store: runs, steps, questions, tokens, episodes.
 *
 * Read-only, with a reader that belongs to the calling thread. Rows are passed to a callback that
 * returns false to stop. Strings are valid during the call. Every row is checked against its sum
 * first: STATUS_CORRUPT names the first damaged one.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_QUERY_H
#define TROUPE_RUNTIME_STORE_QUERY_H

#include "runtime/store/journal.h"
#include "runtime/store/token_record.h"

/* The counts of a run, the same wherever they are shown. Steps are the rows of its journal: each
 * attempt of each step, including the steps inside an agent (turns, model and tool calls). Tokens
 * are those of its model calls: prompt tokens (in) and sampled tokens (out). */
struct run_row {
    const char *uuid, *kind, *name, *error, *backend, *root, *source; /* from error on: or NULL */
    const struct json *config, *output, *budget;                      /* may be NULL */
    enum run_status status; /* RUN_INTERRUPTED: running, but without a live owner */
    int32_t prompt_format;
    uint64_t seed;
    int64_t epoch, created_ms, ended_ms, n_steps, tok_in, tok_out;
    int64_t cost_nano; /* of its model calls, 1e-9 dollars; 0: none, or not known */
    int64_t n_ended;   /* of n_steps */
    bool owned;        /* it has a live owner */
};
/* Resolves a unique prefix or "last". STATUS_NOT_FOUND; STATUS_INVALID: ambiguous. */
MUST_CHECK enum status query_resolve_run(struct store_reader *q, const char *prefix, char uuid[37],
                                         struct error *err);
/* The shortest prefix, at least 6, that no other run shares (uuid7 heads are alike: may be long).
 */
MUST_CHECK enum status query_short_id(struct store_reader *q, const char *uuid, char out[37],
                                      struct error *err);
/* Newest first. statuses: a set of RUN_STATUS_BIT, 0 for all; since_ms 0: all. */
MUST_CHECK enum status query_runs(struct store_reader *q, uint32_t statuses, int64_t since_ms,
                                  bool (*row)(void *ctx, const struct run_row *r), void *ctx,
                                  struct error *err);
MUST_CHECK enum status query_run(struct store_reader *q, const char *uuid,
                                 bool (*row)(void *ctx, const struct run_row *r), void *ctx,
                                 struct error *err);
struct run_filter {
    uint32_t statuses;  /* as above */
    int64_t since_ms;   /* as above */
    const char *before; /* only runs older than the run with this id; NULL: all */
    /* Without counts, configuration and output (0 and NULL), which take nearly all of the time. */
    bool bare;
};
/* As query_runs. STATUS_NOT_FOUND: `before` is not a run. */
MUST_CHECK enum status query_runs_like(struct store_reader *q, const struct run_filter *f,
                                       bool (*row)(void *ctx, const struct run_row *r), void *ctx,
                                       struct error *err);
/* As query_run, with a bare row. */
MUST_CHECK enum status query_run_bare(struct store_reader *q, const char *uuid,
                                      bool (*row)(void *ctx, const struct run_row *r), void *ctx,
                                      struct error *err);
/* The run that was created with this key (run_spec.key). *found false: there is none. */
MUST_CHECK enum status query_run_by_key(struct store_reader *q, const char *key, char uuid[37],
                                        bool *found, struct error *err);

struct step_row {
    const char *path, *kind, *name, *err;
    int32_t attempt, tries;
    int64_t seq, t0_ms, t1_ms, tok_in, tok_out;
    enum step_state state;
    enum effect effect;
    const uint8_t *in_hash;            /* 16 bytes or NULL */
    const struct json *args, *out;     /* may be NULL */
    const struct token_record *tokens; /* only when asked for, NULL where there are none */
};
/* Ordered by seq; `under`: NULL or a path prefix; only seq above `after`. */
MUST_CHECK enum status query_steps(struct store_reader *q, const char *uuid, const char *under,
                                   int64_t after, bool with_tokens,
                                   bool (*row)(void *ctx, const struct step_row *s), void *ctx,
                                   struct error *err);

/* One attempt of a step. STATUS_NOT_FOUND: there is none. */
MUST_CHECK enum status query_step(struct store_reader *q, const char *uuid, const char *path,
                                  int32_t attempt, bool (*row)(void *ctx, const struct step_row *s),
                                  void *ctx, struct error *err);

struct message_row {
    const char *thread, *role; /* thread: the path of the agent's step */
    int64_t seq;               /* within the thread, from 0 */
    const struct json *body;   /* may be NULL */
};
/* By thread, in order; `under` NULL or a path prefix of threads. */
MUST_CHECK enum status query_messages(struct store_reader *q, const char *uuid, const char *under,
                                      bool (*row)(void *ctx, const struct message_row *m),
                                      void *ctx, struct error *err);

struct wait_row {
    const char *run, *run_name, *path, *kind;
    const struct json *prompt, *answer; /* answer NULL: none, or too late */
    int32_t attempt;
    int64_t deadline_ms;       /* 0: none */
    bool is_open;              /* not answered, and its step and run have not ended */
    int64_t closed_ms;         /* 0: its step has not ended */
    enum step_state closed_as; /* how its step ended, if closed_ms is set */
};
MUST_CHECK enum status query_waits(struct store_reader *q, const char *uuid,
                                   bool (*row)(void *ctx, const struct wait_row *w), void *ctx,
                                   struct error *err);
/* The open waits of all runs, by run, the oldest run first. */
MUST_CHECK enum status query_open_waits(struct store_reader *q,
                                        bool (*row)(void *ctx, const struct wait_row *w), void *ctx,
                                        struct error *err);
/* Has any process (including this one) written since the last call with this reader? True on the
 * first call. It reads one number of the WAL index and may be called many times per second. */
MUST_CHECK enum status query_has_changed(struct store_reader *q, bool *changed, struct error *err);

struct episode_row {
    const char *path;
    uint64_t seed;
    int32_t status, success, steps;
    const char *verdict; /* JSON text */
    const void *rec;     /* unpacked (not zstd) bytes, NULL when none */
    size_t rec_bytes;
    int64_t t0_ms, t1_ms;
};
MUST_CHECK enum status query_episodes(struct store_reader *q, const char *uuid, const char *under,
                                      bool with_rec,
                                      bool (*row)(void *ctx, const struct episode_row *e),
                                      void *ctx, struct error *err);

#endif
