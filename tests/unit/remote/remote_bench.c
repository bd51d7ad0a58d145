/* remote_bench.c - see remote_bench.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/remote/remote_bench.h"

static void on_replies(void *ctx, struct mail *m)
{
    struct remote_bench *b = ctx;

    while (m) {
        struct mail *next = m->next;
        struct remote_ask *a = CONTAINER_OF(m, struct remote_ask, call.mail);
        static int32_t order;

        assert_false(a->answered);
        a->answered = true;
        a->order = ++order;
        loop_box_hold(b->box, -1);
        if (--b->n_open == 0)
            loop_stop(b->loop);
        m = next;
    }
}

void remote_bench_init(struct remote_bench *b)
{
    struct error err = ERROR_INIT;
    static const char messages[] = "[{\"role\":\"user\",\"content\":\"say hi\"}]";

    *b = (struct remote_bench){.n_open = 0};
    assert_int_equal(loop_new(seams_real(), &b->loop, &err), STATUS_OK);
    b->memory = http_memory_new(b->loop);
    b->client = http_client_with(b->loop, NULL, http_memory_ops(b->memory));
    b->servers = remote_servers_new(b->loop, b->client, seams_real());
    b->box = loop_box_new(b->loop, on_replies, b);
    remote_spec_init(&b->spec);
    b->spec.url = xstrdup(BENCH_URL);
    b->spec.model = xstrdup("m");
    assert_int_equal(jv_parse(messages, strlen(messages), "messages", &b->messages, &err),
                     STATUS_OK);
}

void remote_bench_open(struct remote_bench *b)
{
    struct error err = ERROR_INIT;

    if (remote_model_open(b->servers, "strong", &b->spec, &b->model, &err))
        fail_msg("%s", err.message);
}

void remote_bench_deinit(struct remote_bench *b)
{
    if (b->model)
        b->model->ops->close(b->model);
    remote_servers_free(b->servers);
    http_client_free(b->client);
    http_memory_free(b->memory);
    loop_box_free(b->box);
    loop_free(b->loop);
    remote_spec_deinit(&b->spec);
    jv_unref(b->messages);
}

static void on_text(struct model_call *c, const char *text, size_t n)
{
    struct remote_ask *a = CONTAINER_OF(c, struct remote_ask, call);

    str_append(&a->news, text, n);
    if (a->on_news)
        a->on_news(a);
}

void ask_begin(struct remote_bench *b, struct remote_ask *a)
{
    *a = (struct remote_ask){.bench = b, .news = STR_INIT};
    a->call.reply = loop_box_mailbox(b->box);
    a->call.messages = b->messages;
    a->call.max_tokens = 100;
    a->call.sampling = SAMPLING_DEFAULT;
    a->call.seed = 7;
    a->call.call_id = 3;
    a->call.on_text = on_text;
}

void ask_start(struct remote_ask *a)
{
    struct remote_bench *b = a->bench;
    struct error err = ERROR_INIT;

    assert_int_equal(b->model->ops->session_open(b->model, NULL, &a->call.session, &err),
                     STATUS_OK);
    b->n_open++;
    loop_box_hold(b->box, 1);
    b->model->ops->start(b->model, &a->call);
}

static void too_long(void *ctx)
{
    (void)ctx;
    fail_msg("no answer for 60 seconds");
}

void ask_wait(struct remote_bench *b)
{
    struct loop_timer *guard = loop_timer_new(b->loop, 60000, too_long, NULL);

    if (b->n_open > 0)
        loop_run(b->loop);
    assert_int_equal(b->n_open, 0);
    loop_timer_free(guard);
}

void ask_end(struct remote_ask *a)
{
    struct model *m = a->bench->model;

    if (a->call.session && m)
        m->ops->session_close(m, a->call.session);
    model_call_clear_text(&a->call);
    str_deinit(&a->news);
}

void ask(struct remote_bench *b, struct remote_ask *a)
{
    ask_begin(b, a);
    ask_start(a);
    ask_wait(b);
}

static void stop(void *ctx)
{
    struct remote_bench *b = ctx;

    loop_stop(b->loop);
}

void bench_pass(struct remote_bench *b, int64_t ms)
{
    struct loop_timer *t = loop_timer_new(b->loop, ms, stop, b);

    loop_run(b->loop);
    loop_timer_free(t);
}
