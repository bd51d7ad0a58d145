/* stop.c - a linear search over a few ids, and one failure table per string.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/engine/stop.h"

#include <stdlib.h>
#include <string.h>

#include "models/formats/tokenizer.h"
#include "runtime/base/memory.h"

struct stop_text {
    const char *text;
    int32_t n;
    int32_t matched; /* bytes of text that the reply now ends with */
    /* fail[i]: length of the longest proper border of the first i + 1 bytes. */
    uint8_t fail[STOP_MAX_TEXT_BYTES];
};

struct stop_rules {
    struct stop_spec spec;
    struct stop_text text[]; /* (n_text) */
};

static void build_table(struct stop_text *t)
{
    int32_t k = 0;

    t->fail[0] = 0;
    for (int32_t i = 1; i < t->n; i++) {
        while (k > 0 && t->text[i] != t->text[k])
            k = t->fail[k - 1];
        if (t->text[i] == t->text[k])
            k++;
        t->fail[i] = (uint8_t)k;
    }
}

static enum status check(const struct stop_spec *spec, struct error *err)
{
    if (spec->n_stop_id < 0 || spec->n_stop_id > STOP_MAX_IDS)
        return error_set(err, STATUS_INVALID, "%d stop tokens, the limit is %d",
                         (int)spec->n_stop_id, STOP_MAX_IDS);
    if (spec->n_text < 0 || spec->n_text > STOP_MAX_TEXTS)
        return error_set(err, STATUS_INVALID, "%d stop strings, the limit is %d", (int)spec->n_text,
                         STOP_MAX_TEXTS);
    if (spec->n_text > 0 && !spec->tokenizer)
        return error_set(err, STATUS_UNSUPPORTED,
                         "stop strings need a tokenizer, but this model has none");
    for (int32_t i = 0; i < spec->n_text; i++) {
        size_t n = strlen(spec->text[i]);

        if (n == 0 || n > STOP_MAX_TEXT_BYTES)
            return error_set(err, STATUS_INVALID,
                             "stop string %d has %zu bytes, but must have 1 to %d", (int)i, n,
                             STOP_MAX_TEXT_BYTES);
    }
    return STATUS_OK;
}

enum status stop_rules_new(const struct stop_spec *spec, struct stop_rules **out, struct error *err)
{
    struct stop_rules *s;
    enum status st = check(spec, err);

    if (st)
        return st;
    s = xcalloc(1, sizeof(*s) + (size_t)spec->n_text * sizeof(s->text[0]));
    s->spec = *spec;
    for (int32_t i = 0; i < spec->n_text; i++) {
        s->text[i].text = spec->text[i];
        s->text[i].n = (int32_t)strlen(spec->text[i]);
        build_table(&s->text[i]);
    }
    *out = s;
    return STATUS_OK;
}

void stop_rules_free(struct stop_rules *s)
{
    free(s);
}

static bool push_byte(struct stop_text *t, char c)
{
    while (t->matched > 0 && t->text[t->matched] != c)
        t->matched = t->fail[t->matched - 1];
    if (t->text[t->matched] == c)
        t->matched++;
    if (t->matched < t->n)
        return false;
    t->matched = t->fail[t->n - 1];
    return true;
}

static bool is_in(int32_t id, const int32_t *list, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (list[i] == id)
            return true;
    return false;
}

bool stop_rules_push(struct stop_rules *s, int32_t id)
{
    bool found = false;
    const char *bytes;
    size_t n;

    if (is_in(id, s->spec.eos_id, s->spec.n_eos) || is_in(id, s->spec.stop_id, s->spec.n_stop_id))
        return true;
    if (s->spec.n_text == 0)
        return false;
    bytes = tokenizer_bytes(s->spec.tokenizer, id, &n);
    if (!bytes)
        return false; /* an id of the padding of the vocabulary has no bytes */
    for (size_t b = 0; b < n; b++)
        for (int32_t i = 0; i < s->spec.n_text; i++)
            found = push_byte(&s->text[i], bytes[b]) || found;
    return found;
}
