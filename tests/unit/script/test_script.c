/* The scripted model: patterns over paths, replies from a file, errors that name their place.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pthread.h>

#include "models/script/path_match.h"
#include "models/script/script_model.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "runtime/base/seams.h"
#include "runtime/base/utf8.h"
#include "tests/support/check.h"

static void patterns(void **state)
{
    static const struct {
        const char *pattern, *path;
        bool match;
    } cases[] = {
        {"a/b", "a/b", true},
        {"a/b", "a/b/c", false},
        {"a/b/c", "a/b", false},
        {"a/*", "a/b", true},
        {"a/*", "a", false},
        {"a/*", "a/b/c", false},
        {"*/*", "a/b", true},
        {"a/**", "a", true},
        {"a/**", "a/b/c", true},
        {"a/**", "b/a", false},
        {"**", "a/b/c", true},
        {"**", "a", true},
        {"**/c", "c", true},
        {"**/c", "a/b/c", true},
        {"**/c", "a/c/d", false},
        {"**/c", "a/c/c", true},
        {"a/**/c", "a/c", true},
        {"a/**/c", "a/b/b/c", true},
        {"a/**/c/d", "a/c/x/c/d", true},
        {"a/**/c/*", "a/c/c", true},
        {"**/b/**", "a/b/c", true},
        {"**/b/**", "a/c", false},
        {"**/**", "a", true},
        {"turn:*", "turn:12", true},
        {"turn:*", "turns", false},
        {"*:1", "turn:1", true},
        {"t*r*:*1", "turn:11", true},
        {"**/turn:*/model:0", "main/research[3]@1/turn:0/model:0", true},
        {"main/*/turn:0", "main/a/b/turn:0", false},
        {"A", "a", false},
        {"[0]", "[0]", true},
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"**", "", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (path_match(cases[i].pattern, cases[i].path) != cases[i].match)
            fail_msg("\"%s\" over \"%s\"", cases[i].pattern, cases[i].path);
}

/* By trying everything. */
static bool slow_match(const char *p, const char *s)
{
    size_t np = p ? strcspn(p, "/") : 0;
    size_t ns = s ? strcspn(s, "/") : 0;
    const char *p_next = p && p[np] ? p + np + 1 : NULL;
    const char *s_next = s && s[ns] ? s + ns + 1 : NULL;

    if (!p)
        return !s;
    if (np == 2 && !strncmp(p, "**", 2))
        return slow_match(p_next, s) || (s && slow_match(p, s_next));
    if (!s)
        return false;
    if (np == 1 && *p == '*')
        return slow_match(p_next, s_next);
    return np == ns && !strncmp(p, s, np) && slow_match(p_next, s_next);
}

static void random_patterns_as_by_trying_everything(void **state)
{
    static const char *const words[] = {"a", "b", "*", "**"};

    (void)state;
    for (uint32_t round = 0; round < 20000; round++) {
        char pattern[64] = {0}, path[64] = {0};
        struct rng_block r = rng_philox(1, round, 0, 0, 0);
        uint32_t n = 1 + r.word[0] % 5, m = 1 + r.word[1] % 6;

        for (uint32_t i = 0; i < n; i++)
            snprintf(pattern + strlen(pattern), 8, "%s%s", i ? "/" : "",
                     words[r.word[2] >> 2 * i & 3]);
        for (uint32_t i = 0; i < m; i++)
            snprintf(path + strlen(path), 8, "%s%s", i ? "/" : "", words[r.word[3] >> i & 1]);
        if (path_match(pattern, path) != slow_match(pattern, path))
            fail_msg("\"%s\" over \"%s\"", pattern, path);
    }
}

struct script {
    char path[40];
    struct model *model;
    struct error err;
    enum status status;
};

static void load(struct script *s, const char *text)
{
    int fd;

    snprintf(s->path, sizeof(s->path), "/tmp/troupe-script-XXXXXX");
    s->err = ERROR_INIT;
    s->model = NULL;
    fd = mkstemp(s->path);
    assert_true(fd >= 0);
    close(fd);
    assert_ok(file_write_atomic(seams_real(), s->path, text, strlen(text), why));
    s->status = script_model_open(s->path, &s->model, &s->err);
    unlink(s->path);
}

static struct model *must_load(const char *text)
{
    struct script s;

    load(&s, text);
    if (s.status)
        fail_msg("%s: %s", s.err.where, s.err.message);
    return s.model;
}

static void prepare(struct model *m, struct mailbox *box, const char *path, struct model_call *c)
{
    struct model_session *s;

    assert_ok(m->ops->session_open(m, NULL, &s, why));
    memset(c, 0, sizeof(*c));
    c->reply = box;
    c->session = s;
    c->path = path;
}

static void ask(struct model *m, struct mailbox *box, const char *path, struct model_call *c)
{
    prepare(m, box, path, c);
    m->ops->start(m, c);
}

static void end(struct model *m, struct model_call *c)
{
    m->ops->session_close(m, c->session);
    free(c->text);
    jv_unref(c->tool_calls);
}

static void replies_by_path(void **state)
{
    struct model *m = must_load("{\"model\": \"script\", \"replies\": ["
                                "{\"path\": \"main/turn:0/model:0\", \"text\": \"first\"},"
                                "{\"path\": \"**/turn:1/*\", \"text\": \"calling\", \"tool_calls\":"
                                " [{\"name\": \"add\", \"arguments\": {\"a\": 1, \"b\": [2]}}]},"
                                "{\"path\": \"main/bad\", \"error\": \"out of ideas\"},"
                                "{\"path\": \"main/*\", \"text\": \"late\"}],"
                                "\"default\": {\"text\": \"otherwise\"}}");
    struct mailbox *box = mailbox_new(NULL, NULL);
    struct model_call c;
    char *dump;

    (void)state;
    assert_string_equal(m->info.kind, "script");
    assert_false(m->info.takes_ids);
    for (int round = 0; round < 2; round++) { /* no counter */
        ask(m, box, "main/turn:0/model:0", &c);
        assert_ptr_equal(mailbox_take(box), &c.mail);
        assert_int_equal(c.status, STATUS_OK);
        assert_int_equal(c.finish, FINISH_STOP);
        assert_string_equal(c.text, "first");
        assert_null(c.tool_calls);
        end(m, &c);
    }
    ask(m, box, "x/turn:1/model:3", &c);
    assert_non_null(mailbox_take(box));
    assert_string_equal(c.text, "calling");
    dump = jv_dump(c.tool_calls);
    assert_string_equal(dump, "[{\"name\":\"add\",\"arguments\":{\"a\":1,\"b\":[2]}}]");
    free(dump);
    end(m, &c);
    ask(m, box, "main/bad", &c);
    assert_non_null(mailbox_take(box));
    assert_int_equal(c.status, STATUS_FAILED);
    assert_int_equal(c.finish, FINISH_ERROR);
    assert_string_equal(c.err.message, "out of ideas");
    end(m, &c);
    ask(m, box, "elsewhere", &c);
    assert_non_null(mailbox_take(box));
    assert_string_equal(c.text, "otherwise");
    end(m, &c);
    m->ops->close(m);
    mailbox_free(box);
}

static void no_reply_is_an_error_with_the_path(void **state)
{
    struct model *m = must_load("{\"model\": \"script\", \"replies\": []}");
    struct mailbox *box = mailbox_new(NULL, NULL);
    struct model_call c;

    (void)state;
    ask(m, box, "main/turn:7", &c);
    assert_non_null(mailbox_take(box));
    assert_int_equal(c.status, STATUS_NOT_FOUND);
    assert_non_null(strstr(c.err.message, "main/turn:7"));
    end(m, &c);
    m->ops->close(m);
    mailbox_free(box);
}

static void delayed_answers_can_be_cancelled(void **state)
{
    struct model *m = must_load("{\"model\": \"script\", \"replies\": [{\"path\": \"**\","
                                " \"text\": \"slow\"}], \"delay_ms\": 40}");
    struct mailbox *box = mailbox_new(NULL, NULL);
    int64_t begin = seams_mono_us(seams_real());
    struct model_call a, b, c;
    int n = 0;

    (void)state;
    ask(m, box, "a", &a);
    ask(m, box, "b", &b);
    ask(m, box, "c", &c);
    assert_null(mailbox_take(box));
    m->ops->cancel(m, &b);
    assert_ptr_equal(mailbox_take(box), &b.mail);
    assert_int_equal(b.finish, FINISH_CANCELLED);
    assert_null(b.text);
    while (n < 2)
        for (struct mail *mail = mailbox_wait(box, 5000); mail; mail = mail->next)
            n++;
    assert_true(seams_mono_us(seams_real()) - begin >= 40000);
    assert_string_equal(a.text, "slow");
    assert_string_equal(c.text, "slow");
    m->ops->cancel(m, &c); /* too late: nothing happens */
    assert_null(mailbox_take(box));
    end(m, &a);
    end(m, &b);
    end(m, &c);
    ask(m, box, "d", &a);
    b.session = a.session;
    m->ops->session_close(m, a.session);
    m->ops->close(m); /* answers what waits */
    assert_ptr_equal(mailbox_take(box), &a.mail);
    assert_int_equal(a.finish, FINISH_CANCELLED);
    mailbox_free(box);
}

struct heard {
    pthread_mutex_t lock;
    char text[64];
    int32_t n_pieces;
    int64_t first_us;
};

static void hear(struct model_call *c, const char *text, size_t n)
{
    struct heard *h = c->caller;

    pthread_mutex_lock(&h->lock);
    if (h->n_pieces++ == 0)
        h->first_us = seams_mono_us(seams_real());
    strncat(h->text, text, n);
    pthread_mutex_unlock(&h->lock);
}

static void text_streams_while_a_delayed_answer_is_waited_for(void **state)
{
    static const char said[] = "Gr\xc3\xbc\xc3\x9f"
                               "e, 1234567890";
    struct model *m = must_load("{\"model\": \"script\", \"replies\": [{\"path\": \"**\","
                                " \"text\": \"Gr\xc3\xbc\xc3\x9f"
                                "e, 1234567890\"}], \"delay_ms\": 200}");
    struct mailbox *box = mailbox_new(NULL, NULL);
    struct heard h = {.n_pieces = 0};
    int64_t begin = seams_mono_us(seams_real());
    struct model_call c;

    (void)state;
    pthread_mutex_init(&h.lock, NULL);
    prepare(m, box, "a", &c);
    c.on_text = hear;
    c.caller = &h;
    m->ops->start(m, &c);
    assert_ptr_equal(mailbox_wait(box, 5000), &c.mail);
    assert_string_equal(h.text, said);
    assert_int_equal(h.n_pieces, 4);
    assert_true(h.first_us - begin >= 50000);
    assert_true(c.done_us >= 200000);
    assert_true(c.first_us >= 50000 && c.first_us < c.done_us);
    end(m, &c);
    /* One that is cancelled or closed on its way says nothing more. */
    prepare(m, box, "a", &c);
    c.on_text = hear;
    c.caller = &h;
    m->ops->start(m, &c);
    m->ops->cancel(m, &c);
    assert_ptr_equal(mailbox_wait(box, 5000), &c.mail);
    end(m, &c);
    m->ops->close(m);
    assert_true(h.n_pieces < 8);
    pthread_mutex_destroy(&h.lock);
    mailbox_free(box);
}

static void a_reply_may_be_cut_and_come_late(void **state)
{
    struct model *m = must_load("{\"model\": \"script\", \"replies\": ["
                                "{\"path\": \"slow\", \"text\": \"s\", \"delay_ms\": 60},"
                                "{\"path\": \"cut\", \"text\": \"half an\", \"finish\": \"length\","
                                " \"delay_ms\": 20},"
                                "{\"path\": \"now\", \"text\": \"n\", \"finish\": \"stop\"}]}");
    struct mailbox *box = mailbox_new(NULL, NULL);
    struct model_call slow, cut, now;

    (void)state;
    ask(m, box, "slow", &slow);
    ask(m, box, "cut", &cut);
    ask(m, box, "now", &now);
    assert_ptr_equal(mailbox_take(box), &now.mail);
    assert_int_equal(now.finish, FINISH_STOP);
    assert_ptr_equal(mailbox_wait(box, 5000), &cut.mail); /* begun later, due sooner */
    assert_int_equal(cut.finish, FINISH_LENGTH);
    assert_string_equal(cut.text, "half an");
    assert_true(cut.done_us >= 20000);
    assert_ptr_equal(mailbox_wait(box, 5000), &slow.mail);
    assert_true(slow.done_us >= 60000);
    end(m, &slow);
    end(m, &cut);
    end(m, &now);
    m->ops->close(m);
    mailbox_free(box);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"{", ""},
        {"[]", "script: must be an object"},
        {"{\"replies\": []}", "model: must be \"script\""},
        {"{\"model\": \"script\"}", "replies: must be an array"},
        {"{\"model\": \"script\", \"replies\": [], \"delay\": 1}", "unknown key \"delay\""},
        {"{\"model\": \"script\", \"replies\": [], \"delay_ms\": -1}", "delay_ms"},
        {"{\"model\": \"script\", \"replies\": [], \"delay_ms\": \"1\"}", "delay_ms"},
        {"{\"model\": \"script\", \"replies\": [{\"path\": \"a\", \"text\": \"b\", "
         "\"delay_ms\": 1e9}]}",
         "replies[0]: \"delay_ms\""},
        {"{\"model\": \"script\", \"replies\": [{\"path\": \"a\", \"text\": \"b\", "
         "\"finish\": \"cut\"}]}",
         "replies[0]: \"finish\" must be"},
        {"{\"model\": \"script\", \"replies\": [1]}", "replies[0]: must be an object"},
        {"{\"model\": \"script\", \"replies\": [{\"text\": \"x\"}]}",
         "replies[0]: \"path\" is missing"},
        {"{\"model\": \"script\", \"replies\": [{\"path\": 1, \"text\": \"x\"}]}",
         "replies[0]: \"path\" must be a string"},
        {"{\"model\": \"script\", \"replies\": [{\"path\": \"a\"}]}", "replies[0]: needs"},
        {"{\"model\": \"script\", \"replies\": [{\"path\": \"a\", \"txt\": \"x\"}]}",
         "unknown key \"txt\""},
        {"{\"model\": \"script\", \"replies\": [{\"path\": \"a\", \"text\": \"x\", \"error\":"
         " \"y\"}]}",
         "replies[0]: has both an error and a reply"},
        {"{\"model\": \"script\", \"replies\": [{\"path\": \"a\", \"tool_calls\": {}}]}",
         "replies[0]: \"tool_calls\" must be an array"},
        {"{\"model\": \"script\", \"replies\": [{\"path\": \"a\", \"tool_calls\": [{\"name\":"
         " \"x\"}]}]}",
         "replies[0].tool_calls[0]: \"arguments\" must be an object"},
        {"{\"model\": \"script\", \"replies\": [{\"path\": \"a\", \"tool_calls\": [{\"nam\":"
         " \"x\"}]}]}",
         "replies[0].tool_calls[0]: unknown key \"nam\""},
        {"{\"model\": \"script\", \"replies\": [], \"default\": {\"path\": \"a\", \"text\":"
         " \"x\"}}",
         "default: unknown key \"path\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct script s;

        load(&s, cases[i].text);
        assert_int_not_equal(s.status, STATUS_OK);
        if (!strstr(s.err.message, cases[i].word))
            fail_msg("%s: \"%s\"", cases[i].text, s.err.message);
        assert_non_null(strstr(s.err.where, s.path)); /* the file */
    }
    {
        struct error err = ERROR_INIT;
        struct model *m;

        assert_int_equal(script_model_open("/nonexistent/script.json", &m, &err), STATUS_NOT_FOUND);
    }
}

struct pieces {
    struct model_call call; /* first */
    struct str text;
    int32_t n;
};

static void on_text(struct model_call *c, const char *text, size_t n)
{
    struct pieces *p = (struct pieces *)(void *)c;

    assert_true(n > 0);
    assert_int_equal(utf8_valid_prefix(text, n), n);
    str_append(&p->text, text, n);
    p->n++;
}

static void a_reply_streams_in_pieces(void **state)
{
    static const char *const texts[] = {"h\u00e9llo, \u20ac and \u20ac\u20ac\u20ac", "x", ""};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct mailbox *box = mailbox_new(NULL, NULL);
        struct str file = STR_INIT;
        struct pieces p = {.n = 0};
        struct model *m;

        str_printf(&file,
                   "{\"model\": \"script\", \"replies\": [], \"default\": {\"text\": \"%s\"}}",
                   texts[i]);
        m = must_load(str_cstr(&file));
        p.call.reply = box;
        p.call.on_text = on_text;
        p.text = STR_INIT;
        m->ops->start(m, &p.call);
        assert_non_null(mailbox_wait(box, -1));
        assert_string_equal(str_cstr(&p.text), p.call.text);
        assert_in_range(p.n, i == 0 ? 2 : strlen(texts[i]), 4);
        model_call_clear_text(&p.call);
        m->ops->close(m);
        mailbox_free(box);
        str_deinit(&p.text);
        str_deinit(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_streams_in_pieces),
        cmocka_unit_test(patterns),
        cmocka_unit_test(random_patterns_as_by_trying_everything),
        cmocka_unit_test(replies_by_path),
        cmocka_unit_test(no_reply_is_an_error_with_the_path),
        cmocka_unit_test(delayed_answers_can_be_cancelled),
        cmocka_unit_test(text_streams_while_a_delayed_answer_is_waited_for),
        cmocka_unit_test(a_reply_may_be_cut_and_come_late),
        cmocka_unit_test(what_is_wrong_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
