/* unicode_nfc.c - NFC and NFKC (Unicode Standard Annex #15) in near-linear time.
 *
 * utf8proc sorts combining marks by exchanging neighbours, which is quadratic in the number of
 * marks that one character has, and text is foreign. So its tables are used but not its sort: each
 * character is decomposed, each run of marks is sorted by counting, then utf8proc composes, which
 * is one pass. Text is cut before ASCII characters, since these never combine with what is before
 * them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "runtime/base/memory.h"
#include "runtime/base/unicode.h"

#define DECOMPOSED_MAX 32 /* code points of one character; Unicode guarantees less */
#define FEW_MARKS      16 /* so many are sorted in place */
#define CLASSES        256

struct nfc {
    utf8proc_int32_t *code; /* the piece of text at work, decomposed */
    size_t n, cap;
    utf8proc_int32_t *sorted; /* scratch for a run of marks */
    size_t sorted_cap;
    utf8proc_option_t how;
};

static unsigned class_of(utf8proc_int32_t c)
{
    return (unsigned)utf8proc_get_property(c)->combining_class;
}

/* Stable, as canonical ordering asks for. */
static void sort_few(utf8proc_int32_t *mark, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        utf8proc_int32_t c = mark[i];
        size_t at = i;

        for (; at > 0 && class_of(mark[at - 1]) > class_of(c); at--)
            mark[at] = mark[at - 1];
        mark[at] = c;
    }
}

/* By counting the marks of each class; false: no memory. */
static bool sort_many(struct nfc *w, utf8proc_int32_t *mark, size_t n)
{
    size_t begin[CLASSES + 1] = {0}; /* where the marks of a class go */

    if (n > w->sorted_cap) {
        if (!mem_grow((void **)&w->sorted, n, sizeof(*w->sorted)))
            return false;
        w->sorted_cap = n;
    }
    for (size_t i = 0; i < n; i++)
        begin[(class_of(mark[i]) & (CLASSES - 1)) + 1]++;
    for (size_t c = 0; c < CLASSES; c++)
        begin[c + 1] += begin[c];
    for (size_t i = 0; i < n; i++)
        w->sorted[begin[class_of(mark[i]) & (CLASSES - 1)]++] = mark[i];
    memcpy(mark, w->sorted, n * sizeof(*mark));
    return true;
}

/* Sorts each run of marks (characters whose class is not 0). */
static bool order_marks(struct nfc *w)
{
    size_t i = 0;

    while (i < w->n) {
        size_t from = i;

        while (i < w->n && class_of(w->code[i]) != 0)
            i++;
        if (i - from <= FEW_MARKS)
            sort_few(w->code + from, i - from);
        else if (!sort_many(w, w->code + from, i - from))
            return false;
        i++;
    }
    return true;
}

static bool decompose(struct nfc *w, const char *bytes, size_t n)
{
    w->n = 0;
    for (size_t i = 0; i < n;) {
        utf8proc_int32_t c = (utf8proc_int32_t)utf8_next(bytes, n, &i);
        utf8proc_ssize_t len;
        int boundary = 0;

        if (w->cap - w->n < DECOMPOSED_MAX) {
            size_t cap = 2 * w->cap + 16 * DECOMPOSED_MAX;

            if (!mem_grow((void **)&w->code, cap, sizeof(*w->code)))
                return false;
            w->cap = cap;
        }
        len = utf8proc_decompose_char(c, w->code + w->n, DECOMPOSED_MAX, w->how, &boundary);
        if (len < 1 || len > DECOMPOSED_MAX) { /* no character does this: it stays as it is */
            w->code[w->n] = c;
            len = 1;
        }
        w->n += (size_t)len;
    }
    return true;
}

static bool nfc_piece(struct nfc *w, const char *bytes, size_t n, struct str *out)
{
    utf8proc_ssize_t len;

    if (n == 0)
        return true;
    if (!decompose(w, bytes, n) || !order_marks(w))
        return false;
    len = utf8proc_normalize_utf32(w->code, (utf8proc_ssize_t)w->n, w->how);
    for (utf8proc_ssize_t i = 0; i < len; i++)
        utf8_put(out, (uint32_t)w->code[i]);
    return true;
}

/* The first ASCII byte at or after i, or n. */
static size_t next_ascii(const char *bytes, size_t n, size_t i)
{
    while (i < n && (unsigned char)bytes[i] >= 0x80)
        i++;
    return i;
}

static enum status normalize(utf8proc_option_t how, const char *bytes, size_t n, struct str *out,
                             struct error *err)
{
    struct nfc w = {.how = how};
    bool room = true;
    size_t i = 0;

    if (utf8_valid_prefix(bytes, n) != n)
        return error_set(err, STATUS_INVALID, "text is not valid UTF-8");
    while (i < n && room) {
        size_t ascii = utf8_ascii_prefix(bytes + i, n - i);
        size_t plain = i + ascii < n && ascii > 0 ? ascii - 1 : ascii; /* "e" may get an accent */
        size_t end = next_ascii(bytes, n, i + ascii);

        str_append(out, bytes + i, plain);
        room = nfc_piece(&w, bytes + i + plain, end - i - plain, out);
        i = end;
    }
    free(w.code);
    free(w.sorted);
    if (!room || !str_ok(out))
        return error_set(err, STATUS_NO_MEMORY, "no memory for %zu bytes of normalized text", n);
    return STATUS_OK;
}

enum status utf8_nfc(const char *bytes, size_t n, struct str *out, struct error *err)
{
    return normalize(UTF8PROC_STABLE | UTF8PROC_COMPOSE, bytes, n, out, err);
}

enum status utf8_nfkc(const char *bytes, size_t n, struct str *out, struct error *err)
{
    return normalize(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT, bytes, n, out, err);
}
