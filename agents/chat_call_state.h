/* chat_call_state.h - struct chat_call, for the files chat_call*.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_CHAT_CALL_STATE_H
#define TROUPE_AGENTS_CHAT_CALL_STATE_H

#include "agents/agent_state.h"
#include "agents/chat_cache.h"
#include "agents/chat_call.h"
#include "models/chat/reply_stream.h"
#include "models/stop_text.h"

enum chat_call_stop { CHAT_CALL_GOES_ON, CHAT_CALL_LATE, CHAT_CALL_CANCELLED };

struct chat_call {
    struct agent_host *host;
    struct chat_call *prev, *next; /* all of the host */
    struct chat_call_spec spec;
    struct chat_result result;
    enum chat_call_stop stop;
    bool in_flight;
    struct loop_timer *timer;

    /* ---- chat_call_prompt.c */
    const struct chat_cache *chat; /* NULL: no template */
    struct json *tools;            /* guarded; NULL: none */
    struct json *schema;           /* what of the schema can be checked */
    bool in_reasoning;             /* the prompt opened it */
    struct token_ids prompt;
    struct model_session *session;
    struct model_call call;

    /* ---- chat_call_stream.c: tokens or text, through utf8, stops and split to content */
    struct reply_feed feed;
    int32_t n_read;      /* tokens of the reply that were read */
    int32_t n_undecided; /* of them, the last: neither content nor reasoning yet */
    struct token_stream utf8;
    struct stop_stream stops;
    struct reply_stream *split; /* NULL: all text is content */
    struct parsed_reply reply;  /* of split */
    struct str content;         /* the whole */
    size_t n_given;             /* bytes of a text model that were streamed */
    struct json *calls;
};

static inline bool chat_call_takes_ids(const struct chat_call *c)
{
    return c->spec.model->info.takes_ids;
}

/* chat_call_prompt.c: the prompt's ids, and what the reply must fit. */
MUST_CHECK enum status chat_call_prompt(struct chat_call *c, struct error *err);

/* chat_call_stream.c */
void chat_call_stream_begin(struct chat_call *c); /* after the prompt */
void chat_call_stream_show(struct reply_feed *f);
void chat_call_on_token(struct model_call *m, int32_t id, float logp);
void chat_call_on_text(struct model_call *m, const char *text, size_t n);
/* The reply is complete, in c->call: gives the rest and fills the result. */
MUST_CHECK enum status chat_call_stream_end(struct chat_call *c, struct error *err);

#endif
