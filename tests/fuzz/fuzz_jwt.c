/* fuzz_jwt.c - any text as a JSON Web Token, and any text as a key set: what is accepted is whole,
 * and no text is signed by a key that nobody has.
 *
 * The first line is the token, the rest the key set.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "mcp/auth/jwks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The key of RFC 8037, appendix A. */
static const char other_keys[] = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
                                 "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static void check_token(const char *text, size_t n, const struct jwks *theirs)
{
    struct jwks *other = NULL;
    struct jwt t;
    bool knows = false;

    if (jwt_parse(text, n, &t, NULL))
        return;
    if (t.signed_bytes >= n || text[t.signed_bytes] != '.' || jv_kind(t.claims) != JV_OBJECT ||
        memchr(text, '\0', n))
        abort();
    if (jwks_parse(other_keys, strlen(other_keys), "other", &other, NULL))
        abort();
    if (jwks_verify(other, &t, text, &knows) || knows != (t.alg == SIGNATURE_EDDSA))
        abort();
    if (theirs)
        (void)jwks_verify(theirs, &t, text, NULL);
    jwks_free(other);
    jwt_deinit(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *text = (const char *)data;
    const char *end = n ? memchr(text, '\n', n) : NULL;
    size_t token_bytes = end ? (size_t)(end - text) : n;
    struct jwks *keys = NULL;
    /* Copies, so that a read past an end is found. */
    char *token = malloc(token_bytes + 1), *rest = malloc(n - token_bytes + 1);

    if (token && rest) {
        memcpy(token, text ? text : "", token_bytes);
        memcpy(rest, text ? text + token_bytes : "", n - token_bytes);
        if (end && jwks_parse(rest + 1, n - token_bytes - 1, "keys", &keys, NULL))
            keys = NULL;
        check_token(token, token_bytes, keys);
        jwks_free(keys);
    }
    free(token);
    free(rest);
    return 0;
}
