/* pattern.h - regular expressions (PCRE2, JIT where it works) under limits.
 *
 * Patterns may be foreign: compiled length, match steps and depth are bounded, and
 * a match that passes a bound is STATUS_LIMIT, never a hang. Subjects are valid UTF-8.
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
/* First match at or after `start`; *found says whether there is one; bounds in bytes. */
MUST_CHECK enum status pattern_find(struct pattern *p, const char *text, size_t n, size_t start,
                                    bool *found, size_t *from, size_t *to, struct error *err);

#endif
