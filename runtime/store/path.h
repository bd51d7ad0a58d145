/* path.h - paths of steps in a run: building, escaping and comparing.
 *
 * A path is a list of segments joined by '/': a blueprint's `name` with `[i]` for the
 * item of a map and `@k` for a retried attempt (0 is not written), or `turn:n`,
 * `model:n`, `tool:n:name`. Bytes of a name that would be read as structure are written
 * %XX, so that two different lists of segments never give the same path. A name's ':' is escaped
 * too where it would mark a segment that is not a name. Builders replace
 * the content of `out`, which must not be the storage of `parent`. A parent of NULL or ""
 * is the run itself. Pure functions; any thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_PATH_H
#define TROUPE_RUNTIME_STORE_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/str.h"

void path_child(struct str *out, const char *parent, const char *name); /* parent/name */
void path_index(struct str *out, const char *parent, int64_t i);        /* parent[i] */
void path_attempt(struct str *out, const char *parent, int64_t k);      /* parent@k; 0: parent */
void path_turn(struct str *out, const char *parent, int64_t n);         /* parent/turn:n */
void path_model(struct str *out, const char *parent, int64_t n);        /* parent/model:n */
void path_tool(struct str *out, const char *parent, int64_t n, const char *name);

/* Is `path` the ancestor itself or below it? "a", "a/b", "a[1]" and "a@1/b" are under "a", but not
 * "ab". Every path is under NULL or "". */
bool path_is_under(const char *path, const char *ancestor);
/* Calls fn for each prefix of `path` that may be a step around it, the outermost first: its first n
 * bytes, and the attempt of that step which `path` is in. False as soon as fn returns false. */
bool path_each_around(const char *path,
                      bool (*fn)(void *ctx, const char *path, size_t n, int64_t attempt),
                      void *ctx);
/* The part after the last '/'; points into `path`. */
const char *path_last(const char *path);

#endif
