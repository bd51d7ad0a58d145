/* session.h - a sequence inside the engine: its ids, the pages under them, and the call it serves.
 *
 * Threads: the caller's thread makes a session, raises in_flight and cancel, and posts its
 * messages; all else belongs to the engine thread, and while a step runs to the one worker that has
 * the session in its group. Internal to models/engine.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ENGINE_SESSION_H
#define TROUPE_MODELS_ENGINE_SESSION_H

#include <stdatomic.h>

#include "models/arch/weights.h"
#include "models/engine/kv_cache.h"
#include "models/engine/prefix_tree.h"
#include "models/engine/stop.h"
#include "models/model.h"

struct engine;

enum engine_msg_kind { MSG_CALL, MSG_FORK, MSG_CLOSE, MSG_PUBLISH, MSG_EXCLUSIVE, MSG_STOP };
struct engine_msg {
    struct mail mail; /* first */
    enum engine_msg_kind kind;
};

enum session_state { SESSION_IDLE, SESSION_WAITING, SESSION_RUNNING };

struct model_session {
    /* ---- the caller's side */
    struct engine *engine;
    struct engine_msg call_msg, fork_msg, close_msg; /* each is in the mailbox once at most */
    struct model_session *fork_from;
    struct model_session *all_prev, *all_next; /* under the engine's session lock */
    _Atomic bool in_flight;                    /* a call was started and has not been answered */
    _Atomic bool cancel;

    /* ---- positions. Invariants: kv_len <= n_ids; n_pages covers kv_len; between calls the last id
     * has no key yet when it was sampled. */
    bool known;     /* to the engine thread: it is in a list */
    bool no_memory; /* a fork that failed: its calls report it */
    enum session_state state;
    struct model_session *prev, *next; /* of the waiting or the idle list */
    int32_t *ids;                      /* (cap_ids) */
    int32_t n_ids, cap_ids;
    int32_t *page; /* (cap_pages) */
    int32_t n_pages, cap_pages;
    int32_t kv_len;     /* positions whose keys and values are in the pages */
    int64_t kv_serial;  /* the engine's number of the weights that computed them */
    int32_t tree_pages; /* the first pages that are nodes of the prefix tree ... */
    int32_t tree_node;  /* ... and the node of the last of them */

    /* ---- the call, while there is one */
    struct model_call *call;
    struct weights *weights; /* pinned: a reference */
    int64_t serial;
    struct stop_rules *stop;
    uint64_t arrival; /* order of starting: what makes a sequence "young" */
    int64_t started_us;
    int32_t max_ids;    /* the reply ends with this many ids in the sequence */
    int32_t plan_rows;  /* rows of the next step */
    int32_t n_streamed; /* tokens passed to on_token */
    float inv_t;
    bool streams; /* the call has an on_token */
    bool matched; /* the prefix tree was asked: usage.cached is set */
    bool timed;   /* its first token was seen */
    bool ended;   /* the call's finish and status are set; to be answered */
};

/* Space for n ids and their page table; memory is kept until session_trim. */
MUST_CHECK bool session_reserve_ids(struct model_session *s, int32_t n);
/* Frees memory far beyond what the ids need: an idle session is small. */
void session_trim(struct model_session *s);

/* Keeps the first `keep` ids. */
void session_truncate(struct model_session *s, struct kv_cache *kv, const struct prefix_tree *t,
                      int32_t keep);
/* Keeps the ids; their keys must be recomputed. */
void session_drop_kv(struct model_session *s, struct kv_cache *kv);
/* Pages for the first n positions, and a private copy of the one that is written next. False: the
 * cache has too few; the pages reserved so far are kept. */
MUST_CHECK bool session_reserve_pages(struct model_session *s, struct kv_cache *kv, int32_t n);
/* New pages that session_reserve_pages(n) would take. */
int32_t session_pages_wanted(const struct model_session *s, const struct kv_cache *kv, int32_t n);
/* References pages of the tree that hold more of its ids than it has. At least the last id is left
 * to compute, for its logits. */
void session_match(struct model_session *s, struct kv_cache *kv, struct prefix_tree *t);
/* Puts its full pages into the tree; where the tree has a page with the same ids, the session
 * takes that one (the bits are the same). */
void session_publish(struct model_session *s, struct kv_cache *kv, struct prefix_tree *t);
/* Returns pages that were reserved beyond its positions. */
void session_release_spare(struct model_session *s, struct kv_cache *kv);
/* `to` is new and empty: the same positions by reference. False: no memory. */
MUST_CHECK bool session_share(struct model_session *to, const struct model_session *from,
                              struct kv_cache *kv);
/* Frees all that the engine thread owns of it. */
void session_release(struct model_session *s, struct kv_cache *kv);

#endif
