/* tool_search.c - see tool_search.h.
 *
 * Each word has a list of (document, weight), in the order of documents: a query reads only the
 * lists of its own words.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/tool_search.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"

#define K1            1.2
#define B             0.75
#define WORD_MAX      64 /* bytes; the rest of a longer word is left out */
#define WEIGHT_NAME   3
#define WEIGHT_TITLE  2
#define WEIGHT_TEXT   1
#define QUERY_WORDS   32   /* more words of a query are left out */
#define QUERY_MAX     1024 /* bytes; the same */
#define BYTES_A_TOKEN 4
#define EXACT_NAME    1e6 /* above any sum of words */
#define WHOLE_NAME    1e3 /* the query contains the name */
#define JSON_AROUND   60  /* bytes of {"name":"","description":"","inputSchema":} and quotes */

struct posting {
    uint32_t doc;
    uint32_t weight;
};
struct word {
    struct posting *posting; /* (n), by document */
    size_t n, cap;
};
struct tool_search {
    size_t n;
    char **name;     /* (n) */
    uint32_t *words; /* (n) weighted length */
    double mean;     /* of the lengths */
    struct map *by_word;
    bool failed; /* no memory */
};

/* ---- words */

struct words {
    const char *at;
    char text[WORD_MAX + 1];
};

static bool is_letter(char c) /* bytes of UTF-8 above ASCII belong to words */
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 128;
}

/* "readFile" is two words, and so is "HTTPServer". */
static bool is_break(const char *from, const char *c)
{
    if (c == from || !isupper((unsigned char)*c))
        return false;
    return islower((unsigned char)c[-1]) ||
           (isupper((unsigned char)c[-1]) && islower((unsigned char)c[1]));
}

static bool next_word(struct words *w)
{
    const char *from;
    size_t n = 0;

    while (*w->at && !is_letter(*w->at))
        w->at++;
    from = w->at;
    while (*w->at && is_letter(*w->at) && !is_break(from, w->at)) {
        if (n < WORD_MAX)
            w->text[n++] = (char)tolower((unsigned char)*w->at);
        w->at++;
    }
    if (n > 3 && w->text[n - 1] == 's' && w->text[n - 2] != 's' && w->text[n - 2] != 'u')
        n--;
    w->text[n] = '\0';
    return n > 0;
}

/* ---- the index */

static void word_free(void *p)
{
    struct word *w = p;

    if (w)
        free(w->posting);
    free(w);
}

static void add_posting(struct tool_search *s, const char *text, uint32_t doc, uint32_t weight)
{
    struct word *w = map_get(s->by_word, text);

    if (!w) {
        w = xcalloc(1, sizeof(*w));
        (void)map_put(s->by_word, text, w);
    }
    s->words[doc] += weight;
    if (w->n > 0 && w->posting[w->n - 1].doc == doc) {
        w->posting[w->n - 1].weight += weight;
        return;
    }
    if (w->n == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 4;

        if (!mem_grow((void **)&w->posting, cap, sizeof(*w->posting))) {
            s->failed = true;
            return;
        }
        w->cap = cap;
    }
    w->posting[w->n++] = (struct posting){doc, weight};
}

static void add_text(struct tool_search *s, const char *text, uint32_t doc, uint32_t weight)
{
    struct words w = {.at = text ? text : ""};

    while (!s->failed && next_word(&w))
        add_posting(s, w.text, doc, weight);
}

static void add_doc(struct tool_search *s, const struct tool_search_doc *d, uint32_t doc)
{
    const struct json *properties = jv_get(d->input_schema, "properties");
    const char *name;

    add_text(s, d->name, doc, WEIGHT_NAME);
    add_text(s, d->title, doc, WEIGHT_TITLE);
    add_text(s, d->description, doc, WEIGHT_TEXT);
    for (void *it = NULL;
         jv_kind(properties) == JV_OBJECT && (it = jv_next(properties, it, &name, NULL));)
        add_text(s, name, doc, WEIGHT_TEXT);
}

void tool_search_free(struct tool_search *s)
{
    if (!s)
        return;
    for (size_t i = 0; s->name && i < s->n; i++)
        free(s->name[i]);
    free(s->name);
    free(s->words);
    map_free(s->by_word, word_free);
    free(s);
}

enum status tool_search_new(const struct tool_search_doc *docs, size_t n, struct tool_search **out,
                            struct error *err)
{
    struct tool_search *s = xcalloc(1, sizeof(*s));
    double sum = 0;

    s->n = n;
    s->by_word = map_new();
    s->name = mem_alloc(n + 1, sizeof(char *));
    s->words = mem_alloc(n + 1, sizeof(*s->words));
    s->failed = !s->name || !s->words || n >= UINT32_MAX;
    for (size_t i = 0; !s->failed && i < n; i++) {
        s->name[i] = xstrdup(docs[i].name);
        add_doc(s, &docs[i], (uint32_t)i);
        sum += s->words[i];
    }
    if (s->failed) {
        tool_search_free(s);
        return error_set(err, STATUS_NO_MEMORY, "no memory for an index of %zu tools", n);
    }
    s->mean = n > 0 && sum > 0 ? sum / (double)n : 1;
    *out = s;
    return STATUS_OK;
}

/* ---- a query */

/* Robertson and Zaragoza (2009), 3.4, with the form of IDF that is never below 0. */
static void add_scores(const struct tool_search *s, const struct word *w, double *score)
{
    double n = (double)w->n, idf = log(1 + ((double)s->n - n + 0.5) / (n + 0.5));

    for (size_t i = 0; i < w->n; i++) {
        double tf = w->posting[i].weight, length = s->words[w->posting[i].doc];

        score[w->posting[i].doc] +=
            idf * tf * (K1 + 1) / (tf + K1 * (1 - B + B * length / s->mean));
    }
}

static bool same_letters(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Does the query have the name in it, with no letter, digit or `_` at its ends? */
static bool has_name(const char *query, const char *name)
{
    size_t n = strlen(name);

    for (const char *q = query; n > 0 && *q; q++) {
        size_t k = 0;

        if (q > query && (is_letter(q[-1]) || q[-1] == '_' || q[-1] == '-'))
            continue;
        while (k < n && q[k] && same_letters(q[k], name[k]))
            k++;
        if (k == n && !is_letter(q[k]) && q[k] != '_' && q[k] != '-')
            return true;
    }
    return false;
}

static bool is_name(const char *query, const char *name)
{
    return strlen(query) == strlen(name) && has_name(query, name);
}

/* The name in the hub, or that of its server: what follows the first `__`. */
static double boost(const char *query, const char *name)
{
    const char *own = strstr(name, "__");

    if (is_name(query, name))
        return EXACT_NAME;
    if (own && is_name(query, own + 2))
        return EXACT_NAME / 2;
    if (has_name(query, name) || (own && has_name(query, own + 2)))
        return WHOLE_NAME;
    return 0;
}

static bool is_better(const struct tool_search *s, const struct tool_search_hit *a,
                      const struct tool_search_hit *b)
{
    if (a->score > b->score || a->score < b->score)
        return a->score > b->score;
    return strcmp(s->name[a->doc], s->name[b->doc]) < 0;
}

/* Keeps the best `limit`, in order. */
static void keep(const struct tool_search *s, struct tool_search_hit hit, size_t limit,
                 struct tool_search_hit *out, size_t *n)
{
    size_t i;

    if (*n == limit && (limit == 0 || !is_better(s, &hit, &out[limit - 1])))
        return;
    i = *n < limit ? (*n)++ : limit - 1;
    for (; i > 0 && is_better(s, &hit, &out[i - 1]); i--)
        out[i] = out[i - 1];
    out[i] = hit;
}

enum status tool_search_query(const struct tool_search *s, const char *query, size_t limit,
                              struct tool_search_hit *out, size_t *n, struct error *err)
{
    double *score = mem_alloc(s->n + 1, sizeof(*score));
    struct map *seen;
    char text[QUERY_MAX + 1] = "";
    struct words w = {.at = text};

    if (!score)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a search of %zu tools", s->n);
    memcpy(text, query, strnlen(query, QUERY_MAX));
    seen = map_new();
    while (map_size(seen) < QUERY_WORDS && next_word(&w)) {
        const struct word *word = map_get(s->by_word, w.text);

        if (word && !map_put(seen, w.text, (void *)(uintptr_t)word))
            add_scores(s, word, score);
    }
    map_free(seen, NULL);
    *n = 0;
    for (size_t i = 0; i < s->n; i++) {
        struct tool_search_hit hit = {i, score[i] + boost(text, s->name[i])};

        if (hit.score > 0)
            keep(s, hit, limit, out, n);
    }
    free(score);
    return STATUS_OK;
}

int64_t tool_search_tokens(const struct tool_search_doc *doc)
{
    struct str schema = STR_INIT;
    size_t bytes = JSON_AROUND + strlen(doc->name);

    bytes += doc->title ? strlen(doc->title) : 0;
    bytes += doc->description ? strlen(doc->description) : 0;
    if (doc->input_schema)
        jv_write(doc->input_schema, 0, &schema);
    bytes += schema.len;
    str_deinit(&schema);
    return (int64_t)((bytes + BYTES_A_TOKEN - 1) / BYTES_A_TOKEN);
}
