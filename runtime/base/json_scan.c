/* json_scan.c - one pass over JSON text that bounds what a parser may recurse into.
 *
 * Brackets are counted outside of strings only. The scan does not check that the text is
 * JSON: for invalid text the count may be too high, but never too low, because up to the
 * first error this scan and jansson agree on where strings begin and end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/json_scan.h"

#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/utf8.h"

static enum status fault_at(struct error *err, enum status status, const char *bytes, size_t offset,
                            const char *name, const char *message)
{
    long line, column;

    utf8_place(bytes, offset, &line, &column);
    return error_at(err, status, name, line, column, "%s", message);
}

/* The end of the string whose opening quote is at i: after its closing quote, or n. */
static size_t skip_string(const char *bytes, size_t n, size_t i)
{
    for (i++; i < n && bytes[i] != '"'; i++) {
        if (bytes[i] == '\\')
            i++;
    }
    return i < n ? i + 1 : n;
}

enum status json_scan(const char *bytes, size_t n, const char *name, struct error *err)
{
    size_t valid = utf8_valid_prefix(bytes, n);
    const char *nul = n ? memchr(bytes, '\0', valid) : NULL;
    int depth = 0;
    size_t i = 0;

    if (nul)
        return fault_at(err, STATUS_INVALID, bytes, (size_t)(nul - bytes), name,
                        "JSON must not hold a NUL byte");
    if (valid < n)
        return fault_at(err, STATUS_INVALID, bytes, valid, name, "JSON must be valid UTF-8");
    while (i < n) {
        char c = bytes[i];

        if (c == '"') {
            i = skip_string(bytes, n, i);
            continue;
        }
        if (c == '[' || c == '{') {
            if (++depth > JSON_MAX_DEPTH)
                return fault_at(err, STATUS_LIMIT, bytes, i, name,
                                "JSON is nested deeper than 64 levels");
        } else if (c == ']' || c == '}') {
            depth--;
        }
        i++;
    }
    return STATUS_OK;
}
