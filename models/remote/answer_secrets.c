/* answer_secrets.c - see answer_secrets.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/remote/answer_secrets.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

void answer_secrets_deinit(struct answer_secrets *s)
{
    free(s->secret);
    *s = (struct answer_secrets){.n = 0};
}

void answer_secrets_add(struct answer_secrets *s, const char *secret)
{
    if (strlen(secret) < ANSWER_SECRET_MIN)
        return;
    s->secret = xrealloc(s->secret, ((size_t)s->n + 1) * sizeof(*s->secret));
    s->secret[s->n++] = secret;
}

void answer_secrets_hide(const struct answer_secrets *s, char *text, size_t n, size_t from)
{
    for (int32_t i = 0; i < s->n && text; i++) {
        size_t length = strlen(s->secret[i]), at = from >= length ? from - length + 1 : 0;
        char *found;

        while (at < n && (found = memmem(text + at, n - at, s->secret[i], length))) {
            memset(found, '*', length);
            at = (size_t)(found - text) + length;
        }
    }
}

static size_t begun(const char *secret, const char *text, size_t n)
{
    size_t k = strlen(secret) - 1;

    if (k > n)
        k = n;
    while (k > 0 && memcmp(text + n - k, secret, k) != 0)
        k--;
    return k;
}

size_t answer_secrets_begun(const struct answer_secrets *s, const char *text, size_t n)
{
    size_t most = 0;

    for (int32_t i = 0; i < s->n; i++) {
        size_t k = begun(s->secret[i], text, n);

        most = k > most ? k : most;
    }
    return most;
}
