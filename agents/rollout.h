/* rollout.h - one recorded episode: an agent in an environment without a journal.
 *
 * The record holds every model call (token_record) and every tool call; unpacked it gives the same steps
 * as a journaled run, so `show` reads both.
 */
#ifndef TROUPE_AGENTS_ROLLOUT_H
#define TROUPE_AGENTS_ROLLOUT_H

#include "agents/turn.h"
#include "runtime/store/query.h"

/* Packed episode: token records and calls in order. */
struct rollout_step {
    bool is_tool;
    const char *path;
    struct token_record tokens;        /* model calls */
    const char *name;                  /* tool calls */
    const char *arguments, *result;    /* JSON text */
};
MUST_CHECK enum status rollout_unpack(const void *rec, size_t n,
                                      bool (*step)(void *ctx, const struct rollout_step *s),
                                      void *ctx, struct error *err);

#endif
