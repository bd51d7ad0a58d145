/* nearest_word.c - the "did you mean" of map.h.
 *
 * The distance is that of optimal string alignment: insertion, deletion,
 * substitution and the swap of two neighbours cost 1 each.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <string.h>

#include "runtime/base/map.h"

#define WORD_MAX 64 /* longer words are not typing errors */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

static unsigned edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned row[3][WORD_MAX + 1]; /* the last three rows of the table, in turn */

    for (size_t j = 0; j <= nb; j++)
        row[0][j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        unsigned *here = row[i % 3];
        const unsigned *above = row[(i - 1) % 3];
        const unsigned *above2 = row[(i + 1) % 3];

        here[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned swap = a[i - 1] == b[j - 1] ? 0 : 1;

            here[j] = min3(above[j] + 1, here[j - 1] + 1, above[j - 1] + swap);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                above2[j - 2] + 1 < here[j])
                here[j] = above2[j - 2] + 1;
        }
    }
    return row[na % 3][nb];
}

/* "calc" begins "calculator". */
static const char *shortest_with_prefix(const char *word, size_t len, const char *const *candidates,
                                        size_t n)
{
    const char *best = NULL;

    for (size_t i = 0; len >= 3 && i < n; i++)
        if (strncmp(candidates[i], word, len) == 0 &&
            (!best || strlen(candidates[i]) < strlen(best)))
            best = candidates[i];
    return best;
}

const char *nearest_word(const char *word, const char *const *candidates, size_t n)
{
    size_t len = strlen(word);
    const char *best = NULL;
    unsigned limit = len <= 4 ? 1 : len / 3 > 2 ? (unsigned)(len / 3) : 2;
    unsigned best_distance = limit + 1;

    if (len > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t other = strlen(candidates[i]);
        unsigned d;

        if (other > WORD_MAX)
            continue;
        d = edit_distance(word, len, candidates[i], other);
        /* Not a typing error: no letter is the same. */
        if (d < best_distance && d < (len > other ? len : other)) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best ? best : shortest_with_prefix(word, len, candidates, n);
}
