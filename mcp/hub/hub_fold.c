/* hub_fold.c - see hub_fold.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/hub_fold.h"

#include <string.h>
#include <strings.h>

/* Two letters beyond ASCII are equal to ASCII ones without case: the long s (U+017F), and the sign
 * of the kelvin (U+212A). */
static const struct {
    const char *utf8;
    char letter;
} beyond[] = {{"\xc5\xbf", 's'}, {"\xe2\x84\xaa", 'k'}};

static void put_folded(struct str *out, const char *text)
{
    while (*text) {
        size_t n = 1;
        char c = *text;

        for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
            if (strncmp(text, beyond[i].utf8, strlen(beyond[i].utf8)) == 0) {
                c = beyond[i].letter;
                n = strlen(beyond[i].utf8);
            }
        }
        str_putc(out, c);
        text += n;
    }
}

static const char *const names[] = {"name", "arguments", "uri",         "ref",
                                    "type", "taskId",    "requestState"};

/* Most keys, at once: one of the names as it is, or one that no name is as long as. An escape, and
 * a letter beyond ASCII, make a key longer. */
static bool is_plain(struct json_view key)
{
    bool as_long = false;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t n = strlen(names[i]);

        if (key.n == n + 2 && memcmp(key.at + 1, names[i], n) == 0)
            return true;
        as_long = as_long || key.n == n + 2;
    }
    for (size_t i = 0; !as_long && i < key.n; i++)
        as_long = key.at[i] == '\\' || (unsigned char)key.at[i] >= 0x80;
    return !as_long;
}

static bool is_other_form(const char *key)
{
    struct str folded = STR_INIT;
    bool found = false;

    put_folded(&folded, key);
    for (size_t i = 0; !found && i < sizeof(names) / sizeof(names[0]); i++)
        found = strcasecmp(str_cstr(&folded), names[i]) == 0 && strcmp(key, names[i]) != 0;
    str_deinit(&folded);
    return found;
}

static bool find_in(struct json_view object, struct str *key)
{
    for (struct json_walk w = json_walk(object); json_walk_next(&w);) {
        if (w.key.n > 80 || is_plain(w.key)) /* no name is as long, with all letters escaped */
            continue;
        str_clear(key);
        if (json_view_text(w.key, key) && is_other_form(str_cstr(key)))
            return true;
    }
    str_clear(key);
    return false;
}

bool hub_fold_find(struct json_view params, struct str *key)
{
    return find_in(params, key) || find_in(json_view_get(params, "ref"), key);
}
