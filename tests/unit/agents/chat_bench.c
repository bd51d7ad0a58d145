/* chat_bench.c - see chat_bench.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/agents/chat_bench.h"

#include "runtime/base/memory.h"
#include "runtime/base/unicode.h"

void talk_on_piece(void *ctx, enum chat_piece kind, const char *text, size_t n)
{
    struct talk *t = ctx;

    assert_false(t->over);
    assert_true(n > 0);
    assert_int_equal(utf8_valid_prefix(text, n), n);
    str_append(kind == CHAT_CONTENT ? &t->content : &t->reasoning, text, n);
    if (++t->n_pieces == t->cancel_at)
        chat_call_cancel(t->call);
}

void talk_on_done(void *ctx, struct chat_call *c)
{
    struct talk *t = ctx;

    assert_ptr_equal(c, t->call);
    assert_false(t->over);
    t->over = true;
    t->r = *chat_call_result(c);
}

void talk_start(struct talk *t, bool stream)
{
    t->content = t->reasoning = STR_INIT;
    t->spec.ctx = t;
    t->spec.on_piece = stream ? talk_on_piece : NULL;
    t->spec.on_done = talk_on_done;
    t->over = false;
    t->n_pieces = 0;
    assert_ok(chat_call_start(t->host, &t->spec, &t->call, why));
    assert_false(t->over);
}

void talk_wait(struct talk *t)
{
    for (int i = 0; !t->over; i++) {
        agent_host_poll(t->host, 10);
        assert_in_range(i, 0, 60000);
    }
}

void talk_run(struct talk *t, bool stream)
{
    talk_start(t, stream);
    talk_wait(t);
    if (stream && !t->r.status) {
        assert_string_equal(str_cstr(&t->content), t->r.content ? t->r.content : "");
        assert_string_equal(str_cstr(&t->reasoning), t->r.reasoning ? t->r.reasoning : "");
    }
}

void talk_end(struct talk *t)
{
    chat_call_free(t->call);
    t->call = NULL;
    str_deinit(&t->content);
    str_deinit(&t->reasoning);
}

struct agent_host *talk_host(void)
{
    struct agent_host_options o = {.seams = seams_real()};
    struct agent_host *h;

    assert_ok(agent_host_new(&o, &h, why));
    return h;
}

/* Puts a special token before each turn, and opens reasoning when asked. */
static const char template_text[] =
    "{%- if tools %}TOOLS {{ tools | tojson }}\n{% endif %}"
    "{%- for m in messages %}<|bos|>{{ m.role }}\n{{ m.content }}<|end|>\n{%- endfor %}"
    "<|bos|>assistant\n{% if think %}<think>\n{% endif %}";

static void say(struct fake_model *m, const char *context, const struct model_call *c,
                struct str *out)
{
    struct chat_bench *b = CONTAINER_OF(m, struct chat_bench, m);

    str_clear(&b->asked);
    str_puts(&b->asked, context);
    b->n_special = 0;
    for (int32_t i = 0; i < c->n_delta; i++)
        b->n_special += tokenizer_is_special(m->tokenizer, c->delta[i]);
    str_puts(out, b->says);
}

void chat_bench_init(struct chat_bench *b, const char *messages, const char *tools)
{
    memset(b, 0, sizeof(*b));
    b->asked = STR_INIT;
    fake_model_init(&b->m, NULL, say);
    b->m.model.info.chat_template = template_text;
    b->messages = fixture_json(messages);
    b->tools = tools ? fixture_json(tools) : NULL;
    b->more = fixture_json("{\"think\": true}");
    b->t.host = talk_host();
    b->t.spec = (struct chat_call_spec){.model = &b->m.model,
                                        .messages = b->messages,
                                        .tools = b->tools,
                                        .sampling = SAMPLING_DEFAULT,
                                        .call_id = 0xab,
                                        .seed = 7};
}

void chat_bench_deinit(struct chat_bench *b)
{
    agent_host_free(b->t.host);
    fake_model_deinit(&b->m);
    jv_unref(b->messages);
    jv_unref(b->tools);
    jv_unref(b->more);
    str_deinit(&b->asked);
}
