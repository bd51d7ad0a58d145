/* path.h - paths of steps in a run: building, escaping and comparing.
 *
 * A path is a list of segments joined by '/': a blueprint's `name` with `[i]` for the
 * item of a map and `@k` for a retried attempt (0 is not written), or `turn:n`,
 * `model:n`, `tool:n:name`. Bytes of a name that would be read as structure are written
 * %XX, so that two different lists of segments never give the same path. Builders replace
 * the content of `out`, which must not be the storage of `parent`. A parent of NULL or ""
 * is the run itself. Pure functions; any thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_PATH_H
#define TROUPE_RUNTIME_STORE_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/str.h"

void path_child(struct str *out, const char *parent, const char *name); /* parent/name */
void path_index(struct str *out, const char *parent, int64_t i);        /* parent[i] */
void path_attempt(struct str *out, const char *parent, int64_t k);      /* parent@k; 0: parent */
void path_turn(struct str *out, const char *parent, int64_t n);         /* parent/turn:n */
void path_model(struct str *out, const char *parent, int64_t n);        /* parent/model:n */
void path_tool(struct str *out, const char *parent, int64_t n, const char *name);

/* Appends `name` with '/', '[', ']', '@', '%' and control bytes as %XX. path_child also
 * escapes ':', which marks segments that are not names. */
void path_escape(struct str *out, const char *name);
/* Appends the n bytes of an escaped segment unescaped; a lone '%' is kept. */
void path_unescape(struct str *out, const char *segment, size_t n);

/* Is `path` the ancestor itself or below it? "a", "a/b", "a[1]" and "a@1/b" are under "a", but not
 * "ab". Every path is under NULL or "". */
bool path_is_under(const char *path, const char *ancestor);
/* Exactly one '/' below the parent: "a/b" and "a/b[1]" are children of "a". */
bool path_is_child(const char *path, const char *parent);
/* Bytes of the part before the last '/', 0 when there is none. */
size_t path_parent_len(const char *path);
/* The part after the last '/'; points into `path`. */
const char *path_last(const char *path);
/* How many '/' there are. */
int32_t path_depth(const char *path);

#endif
