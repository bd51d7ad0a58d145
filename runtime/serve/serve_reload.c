/* serve_reload.c - the tokens and the certificate of a server that runs.
 *
 * The file of the tokens is looked at once a second, so that a new token works and a deleted one
 * does not without a signal. SIGHUP reads it at once, and the certificate and key.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <sys/stat.h>

#include "runtime/loop/loop.h"
#include "runtime/serve/serve_internal.h"
#include "runtime/serve/serve_oauth.h"

#define LOOK_MS 1000

/* A replaced file is another inode; any write changes ctime. */
static bool is_equal(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Before the file is read, so that a change meanwhile is found by the next look. */
static bool has_changed(struct serve *s)
{
    struct stat now = {.st_ino = 0};
    bool changed;

    if (stat(s->o.token_file, &now) < 0)
        now = (struct stat){.st_ino = 0}; /* reading it says why */
    changed = !is_equal(&now, &s->tokens_seen);
    s->tokens_seen = now;
    return changed;
}

static void read_again(struct serve *s)
{
    struct token_file *tokens = NULL;
    struct error err = ERROR_INIT;

    if (token_file_open(s->o.token_file, s->o.seams, &tokens, &err)) {
        log_write(s->o.log, LOG_WARN, "the tokens stay as they were: %s%s%s", err.where,
                  err.where[0] ? ": " : "", err.message);
        return;
    }
    token_file_replace(s->tokens, tokens);
    log_write(s->o.log, LOG_INFO, "the tokens were read again");
}

static void look(void *ctx)
{
    struct serve *s = ctx;

    if (has_changed(s))
        read_again(s);
}

enum status serve_tokens_open(struct serve *s, struct error *err)
{
    enum status st;

    if (!s->o.token_file)
        return STATUS_OK;
    (void)has_changed(s);
    st = token_file_open(s->o.token_file, s->o.seams, &s->tokens, err);
    if (!st)
        s->tokens_timer = loop_timer_every(s->loop, LOOK_MS, look, s);
    return st;
}

void serve_tokens_close(struct serve *s)
{
    loop_timer_free(s->tokens_timer);
    s->tokens_timer = NULL;
    token_file_free(s->tokens);
    s->tokens = NULL;
}

void serve_reload(struct serve *s)
{
    struct error err = ERROR_INIT;

    if (s->o.tls_cert && http_server_reload(s->http, &err))
        log_write(s->o.log, LOG_WARN, "the certificate stays as it was: %s", err.message);
    serve_oauth_reload(s);
    if (!s->tokens)
        return;
    (void)has_changed(s);
    read_again(s);
}
