/* pattern.h - regular expressions (PCRE2, with JIT where available) with limits.
 *
 * Patterns may be untrusted: compiled length, match steps and depth are limited, and a match that
 * exceeds a limit is STATUS_LIMIT, never a hang. The limit on steps grows with the subject, so that
 * an alternative may read a long run once and backtrack. Subjects are valid UTF-8. A compiled
 * pattern is read-only: any thread may match with it, each with its own scratch.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_PATTERN_H
#define TROUPE_RUNTIME_BASE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/status.h"

struct pattern;
MUST_CHECK enum status pattern_compile(const char *regex, size_t n, struct pattern **out,
                                       struct error *err);
void pattern_free(struct pattern *p);

/* Working memory of a match; for any number of patterns, one thread at a time. */
struct pattern_scratch;
MUST_CHECK enum status pattern_scratch_new(struct pattern_scratch **out, struct error *err);
void pattern_scratch_free(struct pattern_scratch *s);

/* First match at or after `start`; *found says whether there is one; bounds in bytes.
 * scratch NULL: allocated for this call. */
MUST_CHECK enum status pattern_find(const struct pattern *p, struct pattern_scratch *scratch,
                                    const char *text, size_t n, size_t start, bool *found,
                                    size_t *from, size_t *to, struct error *err);

#endif
