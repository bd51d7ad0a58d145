/* api.h - requests below /api/runs and /api/inbox.
 *
 * Documents are those of the command line. The store is read on the loop's thread, so what is read
 * at a time is bounded, except for the whole of one run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_API_H
#define TROUPE_RUNTIME_SERVE_API_H

#include "runtime/base/json.h"
#include "runtime/serve/serve_internal.h"
#include "runtime/store/query.h"

#define API_TEXT_MAX 8192 /* bytes of a value in a query, with the NUL */

/* Those below reply, and return false, if something is wrong. */

/* Has the query only these parameters? */
bool api_query(struct http_call *c, const char *const *known, size_t n);
/* *out: "1" or "true". */
bool api_query_flag(struct http_call *c, const char *name, bool *out);
/* The body: an object that has only these members. */
bool api_body(struct http_call *c, const char *const *known, size_t n, struct json **out);
bool api_reader(struct serve *s, struct http_call *c, struct store_reader **out);
/* A full id, a unique prefix or "last". */
bool api_run(struct serve *s, struct http_call *c, const char *id, char uuid[37],
             struct store_reader **q);

/* Replies that the run, as it is now, does not allow this: 409, or what else the error says. */
void api_refuse(struct http_call *c, const struct error *err);
/* {"schema": "troupe.NAME/1", "run": uuid} */
void api_done(struct http_call *c, const char *name, const char *uuid);

#endif
