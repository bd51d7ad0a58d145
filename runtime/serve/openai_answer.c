/* openai_answer.c - answers of the OpenAI API, written straight as text.
 *
 * A chunk is written for each token of each stream, so nothing here builds a JSON value.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/base/unicode.h"
#include "runtime/serve/openai.h"

void openai_make_id(struct openai_head *h, uint64_t high, uint64_t low)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = h->kind == OPENAI_CHAT ? sizeof("chatcmpl-") - 1 : sizeof("cmpl-") - 1;

    memcpy(h->id, h->kind == OPENAI_CHAT ? "chatcmpl-" : "cmpl-", n);
    for (int i = 0; i < 32; i++)
        h->id[n++] = digits[(i < 16 ? high : low) >> 4 * (15 - i % 16) & 15];
    h->id[n] = 0;
}

void openai_make_fingerprint(struct openai_head *h, const struct model_info *m)
{
    char hex[65];

    sha256_hex(&m->hash, hex);
    memcpy(h->fingerprint, "fp_", 3);
    memcpy(h->fingerprint + 3, hex, 10);
    h->fingerprint[13] = 0;
}

const char *openai_finish(enum model_finish f, bool has_calls)
{
    if (has_calls && f != FINISH_LENGTH)
        return "tool_calls";
    return f == FINISH_LENGTH ? "length" : "stop";
}

void openai_choice_of(const struct chat_call *c, int32_t index, bool logprobs,
                      struct openai_choice *out)
{
    const struct chat_result *r = chat_call_result(c);

    *out = (struct openai_choice){.index = index,
                                  .content = r->content,
                                  .content_bytes = r->content ? strlen(r->content) : 0,
                                  .reasoning = r->reasoning,
                                  .reasoning_bytes = r->reasoning ? strlen(r->reasoning) : 0,
                                  .tool_calls = r->tool_calls,
                                  .finish = r->finish,
                                  .has_calls = r->has_calls,
                                  .tokens = logprobs ? c : NULL,
                                  .to = logprobs ? r->n_ids : 0};
}

void openai_usage_add(struct model_usage *sum, const struct model_usage *u, bool same_prompt)
{
    if (!same_prompt) {
        sum->prompt += u->prompt;
        sum->cached += u->cached;
    }
    sum->completion += u->completion;
    sum->reasoning += u->reasoning;
    sum->estimated = sum->estimated || u->estimated;
}

/* ---- parts */

static void put_text(struct str *out, const char *text, size_t n)
{
    if (text)
        str_put_json_string(out, text, n);
    else
        str_puts(out, "null");
}

static void put_member(struct str *out, const char *head, const char *text)
{
    str_puts(out, head);
    str_put_json_string(out, text, strlen(text));
}

static void put_int(struct str *out, const char *head, int64_t v)
{
    str_puts(out, head);
    str_put_i64(out, v);
}

static void put_usage(struct str *out, const struct model_usage *u)
{
    put_int(out, ",\"usage\":{\"prompt_tokens\":", u->prompt);
    put_int(out, ",\"completion_tokens\":", u->completion);
    put_int(out, ",\"total_tokens\":", (int64_t)u->prompt + u->completion);
    put_int(out, ",\"prompt_tokens_details\":{\"cached_tokens\":", u->cached);
    put_int(out, "},\"completion_tokens_details\":{\"reasoning_tokens\":", u->reasoning);
    str_puts(out, "}}");
}

/* Up to the choices. */
static void put_head(struct str *out, const struct openai_head *h, const char *object)
{
    put_member(out, "{\"id\":", h->id);
    put_member(out, ",\"object\":", h->kind == OPENAI_CHAT ? object : "text_completion");
    put_int(out, ",\"created\":", h->created_s);
    put_member(out, ",\"model\":", h->model);
    str_puts(out, ",\"system_fingerprint\":");
    put_text(out, h->fingerprint[0] ? h->fingerprint : NULL, strlen(h->fingerprint));
    str_puts(out, ",\"choices\":[");
}

static const char chunk_object[] = "chat.completion.chunk";

void openai_head_ready(struct openai_head *h)
{
    str_clear(&h->chunk);
    put_head(&h->chunk, h, chunk_object);
}

void openai_head_deinit(struct openai_head *h)
{
    str_deinit(&h->chunk);
}

static void put_chunk_head(struct str *out, const struct openai_head *h)
{
    if (h->chunk.len > 0 && str_ok(&h->chunk))
        str_append(out, str_cstr(&h->chunk), h->chunk.len);
    else
        put_head(out, h, chunk_object);
}

/* In a chunk with the numbers of the calls, by which clients tell deltas apart. */
static void put_calls(struct str *out, const struct openai_choice *c, bool numbered)
{
    const struct json *calls = c->tool_calls;
    size_t n = c->one_call ? 1 : jv_size(calls);

    str_puts(out, ",\"tool_calls\":[");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            str_putc(out, ',');
        if (numbered) {
            put_int(out, "{\"index\":", (int64_t)i);
            put_member(out, ",\"id\":", jv_get_string(jv_get(jv_at(calls, i), "id"), ""));
            str_puts(out, ",\"type\":\"function\",\"function\":");
            jv_write(jv_get(jv_at(calls, i), "function"), 0, out);
            str_putc(out, '}');
        } else {
            jv_write(jv_at(calls, i), 0, out);
        }
    }
    str_putc(out, ']');
}

/* Special tokens are not part of the text and left out. */
static const char *next_token(const struct openai_choice *c, int32_t *i, size_t *n)
{
    const char *bytes;

    for (; *i < c->to; ++*i) {
        bytes = chat_call_token(c->tokens, *i, n);
        if (*n > 0)
            return bytes;
    }
    return NULL;
}

/* A token may be a part of a character: then its text is U+FFFD, and its bytes say what it is. */
static void put_token(struct str *out, const char *bytes, size_t n)
{
    struct str clean = STR_INIT;

    utf8_clean(bytes, n, &clean);
    str_put_json_string(out, str_cstr(&clean), clean.len);
    str_deinit(&clean);
}

static void put_bytes(struct str *out, const char *bytes, size_t n)
{
    str_puts(out, ",\"bytes\":[");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            str_putc(out, ',');
        str_put_i64(out, (unsigned char)bytes[i]);
    }
    str_putc(out, ']');
}

static void put_chat_logprobs(struct str *out, const struct openai_choice *c)
{
    const float *logp = chat_call_result(c->tokens)->logp;
    const char *bytes;
    bool first = true;
    size_t n;

    str_puts(out, "{\"content\":[");
    for (int32_t i = c->from; (bytes = next_token(c, &i, &n)); i++) {
        str_puts(out, first ? "{\"token\":" : ",{\"token\":");
        put_token(out, bytes, n);
        str_puts(out, ",\"logprob\":");
        str_put_float(out, logp[i]);
        put_bytes(out, bytes, n);
        str_puts(out, ",\"top_logprobs\":[]}");
        first = false;
    }
    str_puts(out, "],\"refusal\":null}");
}

/* Of UTF-8, also of a cut one: bytes that begin a character. */
static int64_t n_characters(const char *bytes, size_t n)
{
    int64_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)bytes[i] & 0xc0) != 0x80;
    return count;
}

static void put_text_logprobs(struct str *out, const struct openai_choice *c)
{
    const float *logp = chat_call_result(c->tokens)->logp;
    struct str values = STR_INIT, offsets = STR_INIT;
    int64_t offset = c->offset;
    const char *bytes;
    size_t n;

    str_puts(out, "{\"tokens\":[");
    for (int32_t i = c->from; (bytes = next_token(c, &i, &n)); i++) {
        if (values.len > 0) {
            str_putc(out, ',');
            str_putc(&values, ',');
            str_putc(&offsets, ',');
        }
        put_token(out, bytes, n);
        str_put_float(&values, logp[i]);
        str_put_i64(&offsets, offset);
        offset += n_characters(bytes, n);
    }
    str_puts(out, "],\"token_logprobs\":[");
    str_append(out, str_cstr(&values), values.len);
    str_puts(out, "],\"top_logprobs\":null,\"text_offset\":[");
    str_append(out, str_cstr(&offsets), offsets.len);
    str_puts(out, "]}");
    str_deinit(&values);
    str_deinit(&offsets);
}

/* The members that all choices end with. */
static void put_end(struct str *out, const struct openai_head *h, const struct openai_choice *c,
                    bool ends)
{
    str_puts(out, ",\"logprobs\":");
    if (!c->tokens)
        str_puts(out, "null");
    else if (h->kind == OPENAI_CHAT)
        put_chat_logprobs(out, c);
    else
        put_text_logprobs(out, c);
    str_puts(out, ",\"finish_reason\":");
    if (ends)
        put_text(out, openai_finish(c->finish, c->has_calls),
                 strlen(openai_finish(c->finish, c->has_calls)));
    else
        str_puts(out, "null");
    str_putc(out, '}');
}

static void put_message(struct str *out, const struct openai_choice *c)
{
    str_puts(out, ",\"message\":{\"role\":\"assistant\",\"content\":");
    put_text(out, c->content, c->content_bytes);
    str_puts(out, ",\"refusal\":null");
    if (c->reasoning) {
        str_puts(out, ",\"reasoning_content\":");
        put_text(out, c->reasoning, c->reasoning_bytes);
    }
    if (c->tool_calls)
        put_calls(out, c, false);
    str_putc(out, '}');
}

static void put_delta(struct str *out, const struct openai_choice *c)
{
    size_t from;

    str_puts(out, ",\"delta\":{");
    from = out->len;
    if (c->begins)
        str_puts(out, ",\"role\":\"assistant\"");
    if (c->content) {
        str_puts(out, ",\"content\":");
        put_text(out, c->content, c->content_bytes);
    } else if (c->begins) {
        str_puts(out, ",\"content\":\"\"");
    }
    if (c->reasoning) {
        str_puts(out, ",\"reasoning_content\":");
        put_text(out, c->reasoning, c->reasoning_bytes);
    }
    if (c->tool_calls)
        put_calls(out, c, true);
    if (out->len > from) /* the first comma is one too many */
        out->data[from] = ' ';
    str_putc(out, '}');
}

void openai_answer(const struct openai_head *h, const struct openai_choice *choice, int32_t n,
                   const struct model_usage *usage, struct str *out)
{
    put_head(out, h, "chat.completion");
    for (int32_t i = 0; i < n; i++) {
        const struct openai_choice *c = &choice[i];

        put_int(out, i > 0 ? ",{\"index\":" : "{\"index\":", c->index);
        if (h->kind == OPENAI_CHAT) {
            put_message(out, c);
        } else {
            str_puts(out, ",\"text\":");
            str_put_json_string(out, c->content ? c->content : "", c->content_bytes);
        }
        put_end(out, h, c, true);
    }
    str_putc(out, ']');
    put_usage(out, usage);
    str_putc(out, '}');
}

void openai_chunk(const struct openai_head *h, const struct openai_choice *part, struct str *out)
{
    put_chunk_head(out, h);
    put_int(out, "{\"index\":", part->index);
    if (h->kind == OPENAI_CHAT) {
        put_delta(out, part);
    } else {
        str_puts(out, ",\"text\":");
        str_put_json_string(out, part->content ? part->content : "", part->content_bytes);
    }
    put_end(out, h, part, part->ends);
    str_puts(out, h->include_usage ? "],\"usage\":null}" : "]}");
}

void openai_usage_chunk(const struct openai_head *h, const struct model_usage *usage,
                        struct str *out)
{
    put_chunk_head(out, h);
    str_putc(out, ']');
    put_usage(out, usage);
    str_putc(out, '}');
}
