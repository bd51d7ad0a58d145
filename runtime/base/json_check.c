/* json_check.c - see json_check.h.
 *
 * The keys of all open objects are on one stack, as hashes and places. When an object ends, its
 * keys are compared: in pairs if they are few, else sorted by hash.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/json_check.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/json_lex.h"
#include "runtime/base/memory.h"

#define FEW_KEYS 16

struct key {
    uint64_t hash;  /* of its characters, escapes decoded */
    const char *at; /* its opening quote */
};

struct check {
    const struct json_text *text;
    const char *at, *end;
    struct key *keys; /* (n_keys of cap) */
    size_t n_keys, cap;
    struct error *err;
};

static enum status check_value(struct check *c);

static enum status fail_at(const struct check *c, const char *at, const char *message)
{
    return json_fault_at(c->err, STATUS_INVALID, c->text, (size_t)(at - c->text->bytes), message);
}

static enum status fail(const struct check *c, const char *message)
{
    return fail_at(c, c->at, c->at == c->end ? "the JSON text ends too early" : message);
}

/* FNV-1a */
static uint64_t hash_byte(uint64_t h, unsigned char byte)
{
    return (h ^ byte) * UINT64_C(0x100000001b3);
}

static uint64_t hash_code(uint64_t h, uint32_t code)
{
    char utf8[4];
    size_t n = 0;

    if (code < 0x80) {
        utf8[n++] = (char)code;
    } else if (code < 0x800) {
        utf8[n++] = (char)(0xc0 | code >> 6);
        utf8[n++] = (char)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        utf8[n++] = (char)(0xe0 | code >> 12);
        utf8[n++] = (char)(0x80 | (code >> 6 & 63));
        utf8[n++] = (char)(0x80 | (code & 63));
    } else {
        utf8[n++] = (char)(0xf0 | code >> 18);
        utf8[n++] = (char)(0x80 | (code >> 12 & 63));
        utf8[n++] = (char)(0x80 | (code >> 6 & 63));
        utf8[n++] = (char)(0x80 | (code & 63));
    }
    for (size_t i = 0; i < n; i++)
        h = hash_byte(h, (unsigned char)utf8[i]);
    return h;
}

/* At the opening quote; `hash` may be NULL. */
static enum status check_string(struct check *c, uint64_t *hash)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    uint32_t code;

    c->at++;
    for (;;) {
        const char *to = json_lex_run(c->at, c->end);

        for (; hash && c->at < to; c->at++)
            h = hash_byte(h, (unsigned char)*c->at);
        c->at = to;
        if (c->at == c->end || (*c->at != '"' && *c->at != '\\'))
            return fail(c, "a control character must be escaped in a JSON string");
        if (*c->at++ == '"')
            break;
        if (!json_lex_escape(&c->at, c->end, &code)) {
            c->at = to;
            return fail(c, "not a valid escape in a JSON string");
        }
        h = hash_code(h, code);
    }
    if (hash)
        *hash = h;
    return STATUS_OK;
}

/* ---- objects */

/* The next character of a key, with escapes decoded; 0 at its end. */
static uint32_t key_code(const char **at, const char *end)
{
    uint32_t code = (unsigned char)**at;

    if (code == '"')
        return 0;
    (*at)++;
    if (code == '\\' && json_lex_escape(at, end, &code))
        return code < 0x80 ? code : code | UINT32_C(0x80000000);
    return code;
}

/* Keys of equal hashes are compared again. Where one has an escape above ASCII and the other the
 * bytes of a character, the hash decides: a wrong "twice" needs a collision of 64 bits. */
static bool same_key(const struct key *a, const struct key *b, const char *end)
{
    const char *p = a->at + 1, *q = b->at + 1;
    uint32_t x, y;

    if (a->hash != b->hash)
        return false;
    do {
        x = key_code(&p, end);
        y = key_code(&q, end);
        if (x != y)
            return (x | y) & UINT32_C(0x80000000);
    } while (x);
    return true;
}

static int by_hash(const void *a, const void *b)
{
    const struct key *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static enum status check_keys(struct check *c, size_t first)
{
    size_t n = c->n_keys - first;
    struct key *k;

    if (n == 0)
        return STATUS_OK; /* there may be no list yet */
    k = c->keys + first;
    c->n_keys = first;
    if (n > FEW_KEYS)
        qsort(k, n, sizeof(*k), by_hash);
    for (size_t i = 1; i < n; i++) {
        for (size_t j = n > FEW_KEYS ? i - 1 : 0; j < i; j++) {
            if (same_key(&k[j], &k[i], c->end))
                return json_fault_at(c->err, STATUS_REJECTED, c->text,
                                     (size_t)(k[i].at - c->text->bytes),
                                     "the JSON object has this key twice");
        }
    }
    return STATUS_OK;
}

static enum status push_key(struct check *c, const char *at, uint64_t hash)
{
    if (c->n_keys == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 64;

        if (!mem_grow((void **)&c->keys, cap, sizeof(*c->keys)))
            return error_set(c->err, STATUS_NO_MEMORY, "no memory for the keys of a JSON object");
        c->cap = cap;
    }
    c->keys[c->n_keys++] = (struct key){.hash = hash, .at = at};
    return STATUS_OK;
}

static enum status check_member(struct check *c)
{
    const char *from;
    uint64_t hash = 0;
    enum status st;

    c->at = from = json_lex_blanks(c->at, c->end);
    if (c->at == c->end || *c->at != '"')
        return fail(c, "expected a string as the key of a JSON object");
    st = check_string(c, &hash);
    if (!st)
        st = push_key(c, from, hash);
    if (st)
        return st;
    c->at = json_lex_blanks(c->at, c->end);
    if (c->at == c->end || *c->at != ':')
        return fail(c, "expected a colon after the key of a JSON object");
    c->at++;
    return check_value(c);
}

static enum status check_many(struct check *c, char close, enum status (*one)(struct check *c),
                              const char *message)
{
    enum status st;

    c->at = json_lex_blanks(c->at + 1, c->end);
    if (c->at < c->end && *c->at == close) {
        c->at++;
        return STATUS_OK;
    }
    for (;;) {
        st = one(c);
        if (st)
            return st;
        c->at = json_lex_blanks(c->at, c->end);
        if (c->at == c->end || (*c->at != ',' && *c->at != close))
            return fail(c, message);
        if (*c->at++ == close)
            return STATUS_OK;
    }
}

static enum status check_object(struct check *c)
{
    size_t first = c->n_keys;
    enum status st = check_many(c, '}', check_member, "expected a comma or } in a JSON object");

    return st ? st : check_keys(c, first);
}

/* ---- the rest */

static enum status check_word(struct check *c, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
        return fail(c, "expected a JSON value");
    c->at += n;
    return STATUS_OK;
}

static enum status check_number(struct check *c)
{
    bool is_real;
    const char *to = json_lex_number(c->at, c->end, &is_real);

    if (!to)
        return fail(c, "not a valid JSON number");
    c->at = to;
    return STATUS_OK;
}

/* Recursion is bounded: json_scan has counted the brackets. */
static enum status check_value(struct check *c)
{
    c->at = json_lex_blanks(c->at, c->end);
    if (c->at == c->end)
        return fail(c, "");
    switch (*c->at) {
    case '{':
        return check_object(c);
    case '[':
        return check_many(c, ']', check_value, "expected a comma or ] in a JSON array");
    case '"':
        return check_string(c, NULL);
    case 't':
        return check_word(c, "true");
    case 'f':
        return check_word(c, "false");
    case 'n':
        return check_word(c, "null");
    default:
        if (*c->at == '-' || (*c->at >= '0' && *c->at <= '9'))
            return check_number(c);
        return fail(c, "expected a JSON value");
    }
}

enum status json_check(const struct json_text *text, struct error *err)
{
    struct check c = {.text = text, .at = text->bytes, .end = text->bytes + text->n, .err = err};
    enum status st = text->n
                         ? check_value(&c)
                         : error_set(err, STATUS_INVALID, "%s is empty: expected JSON", text->name);

    if (!st) {
        c.at = json_lex_blanks(c.at, c.end);
        if (c.at < c.end)
            st = fail(&c, "there is text behind the JSON value");
    }
    free(c.keys);
    return st;
}
