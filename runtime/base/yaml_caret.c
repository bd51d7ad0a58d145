/* yaml_caret.c - messages about a place in a YAML file, with the line and a caret.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/base/str.h"
#include "runtime/base/unicode.h"
#include "runtime/base/yaml_node.h"

#define EXCERPT_INDENT "    "
#define EXCERPT_WIDTH  100 /* columns of source that are shown at most */
#define EXCERPT_LEAD   60  /* of them before the place */

/* The line breaks of YAML 1.1, which libyaml counts: CR LF, LF, CR, NEL, LS, PS. */
static size_t break_len(const char *s, size_t n)
{
    if (n >= 2 && s[0] == '\r' && s[1] == '\n')
        return 2;
    if (n >= 1 && (s[0] == '\n' || s[0] == '\r'))
        return 1;
    if (n >= 2 && memcmp(s, "\xc2\x85", 2) == 0)
        return 2;
    if (n >= 3 && memcmp(s, "\xe2\x80", 2) == 0 && ((unsigned char)s[2] & 0xfe) == 0xa8)
        return 3;
    return 0;
}

void yaml_index_lines(struct yaml *y)
{
    size_t brk;
    int n = 1;

    for (size_t i = 0; i < y->text_len; i += brk ? brk : 1) {
        brk = break_len(y->text + i, y->text_len - i);
        n += brk > 0;
    }
    y->line_starts = arena_alloc(y->arena, (size_t)n * sizeof(*y->line_starts));
    y->n_lines = n;
    n = 1;
    for (size_t i = 0; i < y->text_len; i += brk ? brk : 1) {
        brk = break_len(y->text + i, y->text_len - i);
        if (brk)
            y->line_starts[n++] = (uint32_t)(i + brk);
    }
}

size_t yaml_line_start(const struct yaml *y, int line)
{
    if (line > y->n_lines) /* libyaml may count a line more at the end */
        return y->text_len;
    return y->line_starts[line > 0 ? line - 1 : 0];
}

static size_t line_end(const struct yaml *y, size_t start)
{
    while (start < y->text_len && !break_len(y->text + start, y->text_len - start))
        start++;
    return start;
}

/* "\n    the line\n    ^" with the caret under the column; long lines are cut. */
static void put_excerpt(struct str *out, const struct yaml *y, int line, int column)
{
    size_t before = column > 0 ? (size_t)column - 1 : 0;
    size_t skip = before > EXCERPT_LEAD + 10 ? before - EXCERPT_LEAD : 0;
    size_t caret = skip ? 3 : 0;
    size_t i = yaml_line_start(y, line);
    size_t to = line_end(y, i);
    size_t width = 0;

    str_puts(out, "\n" EXCERPT_INDENT);
    str_puts(out, skip ? "..." : "");
    for (size_t at = 0; i < to && width < EXCERPT_WIDTH; at++) {
        size_t start = i;
        uint32_t c = utf8_next(y->text, to, &i);
        size_t columns = c == '\t' ? 1 : utf8_width(y->text + start, i - start);

        if (at < skip)
            continue;
        if (c == '\t')
            str_putc(out, ' '); /* one column, so that the caret is in the right place */
        else
            str_append(out, y->text + start, i - start);
        width += columns;
        caret += at < before ? columns : 0;
    }
    str_puts(out, i < to ? "...\n" EXCERPT_INDENT : "\n" EXCERPT_INDENT);
    for (size_t at = 0; at < caret; at++)
        str_putc(out, ' ');
    str_putc(out, '^');
}

PRINTF_LIKE(6, 0)
static enum status yaml_vfault(struct error *err, const struct yaml *y, enum status status,
                               int line, int column, const char *fmt, va_list ap)
{
    struct str excerpt = STR_INIT;
    struct str message = STR_INIT;
    size_t room;

    if (!err)
        return status;
    put_excerpt(&excerpt, y, line, column);
    str_vprintf(&message, fmt, ap);
    /* If space is short, the message is cut, not the caret. */
    room = sizeof(err->message) - 1 - excerpt.len;
    if (message.len > room) {
        size_t keep = utf8_valid_prefix(message.data, room - 3);

        error_at(err, status, y->name, line, column, "%.*s...%s", (int)keep, str_cstr(&message),
                 str_cstr(&excerpt));
    } else {
        error_at(err, status, y->name, line, column, "%s%s", str_cstr(&message),
                 str_cstr(&excerpt));
    }
    str_deinit(&excerpt);
    str_deinit(&message);
    return status;
}

enum status yaml_fault(struct error *err, const struct yaml *y, enum status status, int line,
                       int column, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    yaml_vfault(err, y, status, line, column, fmt, ap);
    va_end(ap);
    return status;
}

enum status yaml_error(struct error *err, const struct yaml *y, const struct yaml_node *at,
                       const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    yaml_vfault(err, y, STATUS_CONFIG, at ? at->line : 1, at ? at->column : 1, fmt, ap);
    va_end(ap);
    return STATUS_CONFIG;
}

/* Does the file have the first n bytes of the scalar's text at its place as they are? *quote:
 * behind a quotation mark. */
static bool spelt_out(const struct yaml *y, const struct yaml_node *scalar, size_t n, bool *quote)
{
    size_t from = yaml_line_start(y, scalar->line);
    size_t to = line_end(y, from);

    for (int column = 1; column < scalar->column && from < to; column++)
        utf8_next(y->text, to, &from);
    *quote = from < to && !scalar->plain && (y->text[from] == '"' || y->text[from] == '\'');
    from += *quote ? 1 : 0;
    return n <= to - from && memcmp(y->text + from, scalar->text, n) == 0;
}

enum status yaml_error_within(struct error *err, const struct yaml *y,
                              const struct yaml_node *scalar, size_t character, const char *fmt,
                              ...)
{
    int column = scalar->column;
    bool quote = false;
    size_t bytes = 0;
    size_t n = 0;
    va_list ap;

    while (n < character && bytes < scalar->len) {
        utf8_next(scalar->text, scalar->len, &bytes);
        n++;
    }
    if (spelt_out(y, scalar, bytes, &quote))
        column += (int)n + (quote ? 1 : 0);
    va_start(ap, fmt);
    yaml_vfault(err, y, STATUS_CONFIG, scalar->line, column, fmt, ap);
    va_end(ap);
    return STATUS_CONFIG;
}

static bool is_allowed(const char *key, const char *const *allowed, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(key, allowed[i]) == 0)
            return true;
    }
    return false;
}

enum status yaml_check_keys(const struct yaml *y, const struct yaml_node *mapping,
                            const char *const *allowed, size_t n_allowed, struct error *err)
{
    struct str list = STR_INIT;
    const struct yaml_node *bad = NULL;
    const char *near;

    if (!mapping || mapping->kind != YAML_MAPPING)
        return yaml_error(err, y, mapping, "expected a mapping");
    for (size_t i = 0; i < mapping->n && !bad; i++) {
        if (!is_allowed(mapping->keys[i]->text, allowed, n_allowed))
            bad = mapping->keys[i];
    }
    if (!bad)
        return STATUS_OK;
    for (size_t i = 0; i < n_allowed; i++)
        str_printf(&list, "%s%s", i ? ", " : "", allowed[i]);
    near = nearest_word(bad->text, allowed, n_allowed);
    if (near)
        yaml_error(err, y, bad, "unknown key \"%.80s\"; did you mean \"%s\"? Allowed: %s",
                   bad->text, near, str_cstr(&list));
    else if (n_allowed == 0)
        yaml_error(err, y, bad, "unknown key \"%.80s\": no keys are allowed here", bad->text);
    else
        yaml_error(err, y, bad, "unknown key \"%.80s\". Allowed: %s", bad->text, str_cstr(&list));
    str_deinit(&list);
    return STATUS_CONFIG;
}
