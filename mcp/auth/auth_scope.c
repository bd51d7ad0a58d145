/* auth_scope.c - see auth_scope.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/auth_scope.h"

#include <string.h>

static bool has(const char *set, const char *word, size_t n)
{
    while (*set) {
        size_t len = strcspn(set, " ");

        if (len == n && memcmp(set, word, n) == 0)
            return true;
        set += len + (set[len] == ' ');
    }
    return false;
}

enum status scope_add(struct str *set, const char *words, struct error *err)
{
    size_t n_words = 0;

    for (const char *c = str_cstr(set); *c; c++)
        n_words += *c == ' ';
    for (const char *at = words + strspn(words, " "); *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");

        for (size_t i = 0; i < n; i++)
            if (at[i] < 0x21 || at[i] > 0x7e || at[i] == '"' || at[i] == '\\')
                return error_set(err, STATUS_INVALID,
                                 "a scope has a character that is not allowed there");
        if (!has(str_cstr(set), at, n)) {
            if (++n_words > SCOPE_WORDS_MAX || set->len + n + 1 > SCOPE_BYTES_MAX)
                return error_set(err, STATUS_LIMIT, "more than %d scopes or %d bytes of them",
                                 SCOPE_WORDS_MAX, SCOPE_BYTES_MAX);
            if (set->len > 0)
                str_putc(set, ' ');
            str_append(set, at, n);
        }
        at += n;
    }
    return STATUS_OK;
}

void scope_remove(struct str *set, const char *word)
{
    struct str kept = STR_INIT;
    size_t word_bytes = strlen(word);

    for (const char *at = str_cstr(set); *at;) {
        size_t n = strcspn(at, " ");

        if (n != word_bytes || memcmp(at, word, n) != 0) {
            if (kept.len > 0)
                str_putc(&kept, ' ');
            str_append(&kept, at, n);
        }
        at += n + (at[n] == ' ');
    }
    str_deinit(set);
    *set = kept;
}

bool scope_has(const char *set, const char *word)
{
    return has(set, word, strlen(word));
}

bool scope_covers(const char *set, const char *words)
{
    for (const char *at = words + strspn(words, " "); *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");

        if (!has(set, at, n))
            return false;
        at += n;
    }
    return true;
}
