/* answer_secrets.h - secrets of a request that its answer may repeat.
 *
 * Whole ones are replaced by asterisks, before the text is given to anybody. Short ones are left:
 * they could be words.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_REMOTE_ANSWER_SECRETS_H
#define TROUPE_MODELS_REMOTE_ANSWER_SECRETS_H

#include <stddef.h>
#include <stdint.h>

#define ANSWER_SECRET_MIN 8 /* bytes */

struct answer_secrets {
    const char **secret; /* (n) lent */
    int32_t n;
};

void answer_secrets_deinit(struct answer_secrets *s);
void answer_secrets_add(struct answer_secrets *s, const char *secret);
/* Of text[0..n) the bytes before `from` were looked at before. */
void answer_secrets_hide(const struct answer_secrets *s, char *text, size_t n, size_t from);
/* How many bytes at the end of the text may be the beginning of a secret. */
size_t answer_secrets_begun(const struct answer_secrets *s, const char *text, size_t n);

#endif
