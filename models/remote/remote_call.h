/* remote_call.h - one call of a remote model: its requests, tries and waits.
 *
 * A failed request is tried again after a wait that doubles, with jitter drawn from the call's seed
 * and never less than the server asks for. It is not tried again when its error would not pass,
 * when text of it has reached the caller, when a deadline (the caller's, or `timeout` of the model)
 * comes first, or when the server asks for a longer wait than REMOTE_MAX_WAIT_MS: then the caller
 * decides. Model calls have no effects, so that one may be sent twice.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_REMOTE_REMOTE_CALL_H
#define TROUPE_MODELS_REMOTE_REMOTE_CALL_H

#include "models/model.h"
#include "models/remote/remote_server.h"
#include "runtime/http/address_policy.h"

#define REMOTE_MAX_TRIES     4
#define REMOTE_FIRST_WAIT_MS 500
#define REMOTE_LAST_WAIT_MS  16000
#define REMOTE_TIMEOUT_MS    INT64_C(3600000)
/* A stream that is complete, but stays open: how long the usage or the end is waited for. */
#define REMOTE_LINGER_MS 2000

struct remote_call;

/* Lent for the life of the call. done: c has its answer, and the remote_call is gone. */
struct remote_call_spec {
    const struct remote_spec *spec;
    const struct address_policy *policy;
    struct remote_server *server;
    struct model_call *call;
    const struct model_info *info;
    void (*done)(void *ctx);
    void *ctx;
};
/* done may be called inside; then *out is NULL. */
void remote_call_start(const struct remote_call_spec *s, struct remote_call **out);
void remote_call_cancel(struct remote_call *w); /* done is called inside */

#endif
