/* fuzz_www_authenticate.c - any text as WWW-Authenticate: no control character comes out, and what
 * was read is read again after it was written.
 *
 * Line ends separate fields.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "mcp/auth/www_authenticate.h"

#define FIELDS_MAX 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_text(const struct str *s)
{
    for (size_t i = 0; i < s->len; i++)
        if ((unsigned char)s->data[i] < 0x20 || s->data[i] == 0x7f)
            abort();
}

static bool differ(const struct str *a, const struct str *b)
{
    return strcmp(str_cstr(a), str_cstr(b)) != 0;
}

static void check_again(const struct bearer_challenge *c)
{
    struct str text = STR_INIT;
    struct http_field field;
    struct bearer_challenge again;

    bearer_challenge_put(&text, str_cstr(&c->resource_metadata), str_cstr(&c->problem),
                         str_cstr(&c->scope));
    field = (struct http_field){"www-authenticate", str_cstr(&text)};
    if (text.len > WWW_BYTES_MAX) { /* escapes made it longer */
        str_deinit(&text);
        return;
    }
    if (bearer_challenge_read(&field, 1, &again, NULL) || !again.is_bearer || again.other[0] ||
        differ(&again.resource_metadata, &c->resource_metadata) ||
        differ(&again.scope, &c->scope) || differ(&again.problem, &c->problem))
        abort();
    bearer_challenge_deinit(&again);
    str_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = malloc(n + 1);
    struct http_field fields[FIELDS_MAX];
    struct bearer_challenge c;
    int32_t n_fields = 0;

    if (!text)
        return 0;
    memcpy(text, data, n);
    text[n] = '\0';
    for (char *at = text; n_fields < FIELDS_MAX; at++) {
        fields[n_fields++] = (struct http_field){"www-authenticate", at};
        at += strcspn(at, "\n");
        if (!*at)
            break;
        *at = '\0';
    }
    if (bearer_challenge_read(fields, n_fields, &c, NULL) == STATUS_OK) {
        check_text(&c.resource_metadata);
        check_text(&c.scope);
        check_text(&c.problem);
        check_again(&c);
    }
    bearer_challenge_deinit(&c);
    free(text);
    return 0;
}
