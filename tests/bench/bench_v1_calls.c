/* bench_v1_calls.c - calls on a model in this process: a remote one, and the embedded one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "bench_run.h"
#include "bench_v1.h"
#include "models/remote/remote_model.h"
#include "runtime/api/model_set.h"
#include "runtime/base/memory.h"
#include "runtime/http/http_client.h"
#include "runtime/loop/loop.h"

struct bench {
    struct loop *loop;
    struct loop_box *box;
    struct model *model;
    struct json *messages;
    bool stream;
    int at_once, left, under_way; /* calls to start, and started */
    int64_t tokens, bytes;
};

struct ask {
    struct model_call call;
    struct bench *bench;
    int number; /* of the caller; then of its call */
    int32_t prompt[V1_PROMPT];
};

static double wall_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void on_text(struct model_call *c, const char *text, size_t n)
{
    struct ask *a = CONTAINER_OF(c, struct ask, call);

    (void)text;
    a->bench->bytes += (int64_t)n;
}

static void on_token(struct model_call *c, int32_t id, float logp)
{
    (void)c;
    (void)id;
    (void)logp;
}

static void start_ask(struct ask *a)
{
    struct bench *b = a->bench;
    struct error err = ERROR_INIT;

    b->left--;
    b->under_way++;
    loop_box_hold(b->box, 1);
    must(b->model->ops->session_open(b->model, NULL, &a->call.session, &err), &err);
    b->model->ops->start(b->model, &a->call);
}

static void on_replies(void *ctx, struct mail *m)
{
    struct bench *b = ctx;

    for (struct mail *next; m; m = next) {
        struct ask *a = CONTAINER_OF(m, struct ask, call.mail);

        next = m->next;
        must(a->call.status, &a->call.err);
        b->tokens += a->call.usage.completion;
        if (!b->stream && a->call.text)
            b->bytes += (int64_t)strlen(a->call.text);
        b->model->ops->session_close(b->model, a->call.session);
        model_call_clear_text(&a->call);
        loop_box_hold(b->box, -1);
        b->under_way--;
        if (b->left > 0) {
            a->number += b->at_once;
            if (a->call.delta)
                v1_prompt(a->number, a->prompt);
            start_ask(a);
        } else if (b->under_way == 0) {
            loop_stop(b->loop);
        }
    }
}

static void run(struct bench *b, struct ask *asks, int at_once)
{
    b->at_once = at_once;
    for (int i = 0; i < at_once && b->left > 0; i++)
        start_ask(&asks[i]);
    loop_run(b->loop);
}

static void ask_init(struct bench *b, struct ask *a)
{
    *a = (struct ask){.bench = b};
    a->call.reply = loop_box_mailbox(b->box);
    a->call.sampling = SAMPLING_DEFAULT;
    a->call.sampling.temperature = 0;
}

int v1_remote(const char *url, int calls, int at_once, int stream)
{
    static const char messages[] = "[{\"role\":\"system\",\"content\":\"You answer briefly.\"},"
                                   "{\"role\":\"user\",\"content\":\"Where do bees live?\"}]";
    struct bench b = {.stream = stream};
    struct ask *asks = xcalloc((size_t)at_once, sizeof(*asks));
    struct http_client *client;
    struct remote_servers *servers;
    struct remote_spec spec;
    struct error err = ERROR_INIT;
    double cpu;

    must(loop_new(seams_real(), &b.loop, &err), &err);
    must(http_client_new(b.loop, &(struct http_client_options){0}, &client, &err), &err);
    servers = remote_servers_new(b.loop, client, seams_real());
    must(remote_spec_from_name(url, &spec, &err), &err);
    spec.stream = stream;
    must(remote_model_open(servers, "remote", &spec, &b.model, &err), &err);
    must(jv_parse(messages, strlen(messages), "messages", &b.messages, &err), &err);
    b.box = loop_box_new(b.loop, on_replies, &b);
    for (int i = 0; i < at_once; i++) {
        ask_init(&b, &asks[i]);
        asks[i].call.messages = b.messages;
        asks[i].call.max_tokens = 100;
        asks[i].call.on_text = stream ? on_text : NULL;
    }
    b.left = at_once * 10; /* connections open, memory grows */
    run(&b, asks, at_once);
    b.left = calls;
    b.bytes = 0;
    cpu = cpu_seconds();
    run(&b, asks, at_once);
    cpu = cpu_seconds() - cpu;
    printf("{\"calls\": %d, \"cpu_s\": %.6f, \"bytes\": %lld}\n", calls, cpu, (long long)b.bytes);
    b.model->ops->close(b.model);
    remote_servers_free(servers);
    http_client_free(client);
    loop_box_free(b.box);
    loop_free(b.loop);
    remote_spec_deinit(&spec);
    jv_unref(b.messages);
    free(asks);
    return 0;
}

int v1_engine(int at_once, int rounds, int tokens)
{
    struct bench b = {0};
    struct ask *asks = xcalloc((size_t)at_once, sizeof(*asks));
    struct model_options options = {0};
    struct model_set *set = model_set_new(&options, NULL);
    struct error err = ERROR_INIT;
    double cpu, wall;

    must(loop_new(seams_real(), &b.loop, &err), &err);
    must(model_set_open(set, "embedded", &b.model, &err), &err);
    b.box = loop_box_new(b.loop, on_replies, &b);
    for (int i = 0; i < at_once; i++) {
        struct model_call *c = &asks[i].call;

        ask_init(&b, &asks[i]);
        asks[i].number = i;
        v1_prompt(i, asks[i].prompt);
        c->delta = asks[i].prompt;
        c->n_delta = V1_PROMPT;
        c->max_tokens = tokens;
        c->ids = xcalloc((size_t)tokens, sizeof(*c->ids));
        c->logp = xcalloc((size_t)tokens, sizeof(*c->logp));
        c->logp_sampled = xcalloc((size_t)tokens, sizeof(*c->logp_sampled));
        c->on_token = on_token;
    }
    b.left = at_once * rounds;
    cpu = cpu_seconds();
    wall = wall_seconds();
    run(&b, asks, at_once);
    cpu = cpu_seconds() - cpu;
    printf("{\"tokens\": %lld, \"cpu_s\": %.6f, \"wall_s\": %.6f}\n", (long long)b.tokens, cpu,
           wall_seconds() - wall);
    for (int i = 0; i < at_once; i++) {
        free(asks[i].call.ids);
        free(asks[i].call.logp);
        free(asks[i].call.logp_sampled);
    }
    loop_box_free(b.box);
    model_set_free(set);
    loop_free(b.loop);
    free(asks);
    return 0;
}
