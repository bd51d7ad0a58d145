/* query.h - what is in the store: runs, steps, messages, tokens, episodes.
 *
 * Read-only, on a reader of the calling thread's own. Rows are handed to a callback that
 * returns false to stop. Strings live for the call.
 */
#ifndef TROUPE_RUNTIME_STORE_QUERY_H
#define TROUPE_RUNTIME_STORE_QUERY_H

#include "runtime/store/journal.h"
#include "runtime/store/token_record.h"

struct run_row {
    const char *uuid, *kind, *name, *status, *error, *backend;
    const struct json *config, *output, *budget; /* may be NULL */
    uint64_t seed;
    int64_t epoch, created_ms, ended_ms, n_steps, tok_in, tok_out;
    bool owned; /* some living process holds it */
};
/* Finds by unique prefix or "last": STATUS_NOT_FOUND, STATUS_INVALID when ambiguous. */
MUST_CHECK enum status query_resolve_run(struct store_reader *q, const char *prefix, char uuid[37],
                                         struct error *err);
/* The shortest prefix, at least 6, that no other run shares (uuid7 heads are alike: may be long).
 */
MUST_CHECK enum status query_short_id(struct store_reader *q, const char *uuid, char out[37],
                                      struct error *err);
/* Newest first; status NULL and since 0 mean all. */
MUST_CHECK enum status query_runs(struct store_reader *q, const char *status, int64_t since_ms,
                                  bool (*row)(void *ctx, const struct run_row *r), void *ctx,
                                  struct error *err);
MUST_CHECK enum status query_run(struct store_reader *q, const char *uuid,
                                 bool (*row)(void *ctx, const struct run_row *r), void *ctx,
                                 struct error *err);

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
/* In the order of intents; `under` NULL or a path prefix; seq above `after`. */
MUST_CHECK enum status query_steps(struct store_reader *q, const char *uuid, const char *under,
                                   int64_t after, bool with_tokens,
                                   bool (*row)(void *ctx, const struct step_row *s), void *ctx,
                                   struct error *err);

/* One message of a conversation, which is named by the path of its agent's step. */
struct message_row {
    const char *thread, *role; /* role: system, user, assistant, tool */
    int64_t seq;
    const struct json *body; /* may be NULL */
};
/* By thread, then in order; `under` as of query_steps. */
MUST_CHECK enum status query_messages(struct store_reader *q, const char *uuid, const char *under,
                                      bool (*row)(void *ctx, const struct message_row *m),
                                      void *ctx, struct error *err);

struct wait_row {
    const char *run, *path, *kind;
    const struct json *prompt, *answer;
    int32_t attempt;
    int64_t deadline_ms;
};
MUST_CHECK enum status query_waits(struct store_reader *q, const char *uuid,
                                   bool (*row)(void *ctx, const struct wait_row *w), void *ctx,
                                   struct error *err);

struct episode_row {
    const char *path;
    uint64_t seed;
    int32_t status, success, steps;
    const char *verdict; /* JSON text */
    const void *rec;     /* unpacked (not zstd) bytes, NULL when none */
    size_t rec_bytes;
    int64_t t0_ms, t1_ms;
};
/* Posts one episode in one transaction, after what is open. rec is copied here and compressed on
 * the store thread; an episode of the same path is replaced. */
void journal_episode(struct run *r, const struct episode_row *e);
MUST_CHECK enum status query_episodes(struct store_reader *q, const char *uuid, const char *under,
                                      bool with_rec,
                                      bool (*row)(void *ctx, const struct episode_row *e),
                                      void *ctx, struct error *err);
MUST_CHECK enum status store_remove_run(struct store *s, const char *uuid, struct error *err);

#endif
