/* answer_bench.c - see answer_bench.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/remote/answer_bench.h"

#include "runtime/base/seams.h"
#include "runtime/http/sse.h"

struct reading {
    struct answer_bench *bench;
    struct chat_answer *answer;
};

static void begin(struct answer_bench *b)
{
    *b = (struct answer_bench){.news = STR_INIT};
    b->spec.url = xstrdup("http://127.0.0.1:8000/v1");
    b->spec.model = xstrdup("m");
    b->spec.ids = REMOTE_IDS_VLLM;
    b->call.max_tokens = BENCH_IDS;
    b->call.ids = b->ids;
    b->call.logp = b->logp;
}

void bench_free(struct answer_bench *b)
{
    model_call_clear_text(&b->call);
    remote_spec_deinit(&b->spec);
    str_deinit(&b->news);
}

static enum status one_event(struct reading *r, const char *data, size_t n, struct error *err)
{
    enum status st = chat_answer_event(r->answer, data, n, err);
    size_t more = 0;
    const char *text = chat_answer_news(r->answer, false, &more);

    str_append(&r->bench->news, text, more);
    return st;
}

static enum status on_event(void *ctx, const struct sse_event *e, struct error *err)
{
    return one_event(ctx, e->data, e->n, err);
}

static void end(struct reading *r)
{
    struct answer_bench *b = r->bench;

    b->complete = chat_answer_is_complete(r->answer);
    b->done = chat_answer_is_done(r->answer);
    if (!b->status)
        b->status = chat_answer_end(r->answer, &b->call, &b->err);
    b->fault = *chat_answer_fault(r->answer);
    chat_answer_free(r->answer);
}

static void feed(struct answer_bench *b, const char *bytes, size_t n, size_t first, size_t piece)
{
    struct reading r = {.bench = b};
    struct sse_parser *p = sse_parser_new((size_t)1 << 20, on_event, &r);

    begin(b);
    r.answer = chat_answer_new(&b->spec, b->call.max_tokens);
    for (size_t at = 0; at < n && !b->status;) {
        size_t take = at == 0 && first > 0 ? first : piece;

        if (take == 0 || take > n - at)
            take = n - at;
        b->status = sse_feed(p, bytes + at, take, &b->err);
        at += take;
    }
    sse_parser_free(p);
    end(&r);
}

void bench_stream(struct answer_bench *b, const char *bytes, size_t n, size_t piece)
{
    feed(b, bytes, n, 0, piece);
}

void bench_stream_cut(struct answer_bench *b, const char *bytes, size_t n, size_t at)
{
    feed(b, bytes, n, at, 0);
}

void bench_events(struct answer_bench *b, const char *const *data, size_t n)
{
    struct reading r = {.bench = b};

    begin(b);
    r.answer = chat_answer_new(&b->spec, b->call.max_tokens);
    for (size_t i = 0; i < n && !b->status; i++)
        b->status = one_event(&r, data[i], strlen(data[i]), &b->err);
    end(&r);
}

static void read_body(struct answer_bench *b, const char *body, size_t n)
{
    struct reading r = {.bench = b};

    r.answer = chat_answer_new(&b->spec, b->call.max_tokens);
    b->status = chat_answer_body(r.answer, body, n, &b->err);
    end(&r);
}

void bench_body(struct answer_bench *b, const char *body, size_t n)
{
    begin(b);
    read_body(b, body, n);
}

void bench_choice_body(struct answer_bench *b, const char *choice, const char *body)
{
    begin(b);
    b->call.tool_choice = choice;
    read_body(b, body, strlen(body));
}

char *bench_wire(const char *name, size_t *n)
{
    const char *root = getenv("TROUPE_SOURCE_DIR");
    struct str path = STR_INIT;
    struct error err = ERROR_INIT;
    char *bytes = NULL;

    str_printf(&path, "%s/tests/fixtures/wire/%s", root ? root : ".", name);
    if (file_read(str_cstr(&path), (size_t)1 << 20, &bytes, n, &err))
        fail_msg("%s", err.message);
    str_deinit(&path);
    return bytes;
}

const char *bench_calls(const struct answer_bench *b)
{
    static char text[4096];
    char *dump = jv_dump(b->call.tool_calls);

    snprintf(text, sizeof(text), "%s", dump);
    free(dump);
    return text;
}
