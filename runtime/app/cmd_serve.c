/* cmd_serve.c - serve: the runtime over HTTP, until a signal; serve token: makes a token.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/app/app.h"
#include "runtime/app/app_mcp.h"
#include "runtime/app/app_run.h"
#include "runtime/app/app_serve.h"
#include "runtime/app/app_trace.h"
#include "runtime/base/file_open.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "runtime/http/http_gate.h"
#include "runtime/loop/loop.h"
#include "runtime/serve/serve.h"
#include "runtime/serve/serve_token.h"

struct serving {
    struct app *app;
    struct app_drive drive; /* options of the runs */
    struct serve_config config;
    struct serve *serve;
    struct loop *loop;
    int hangups; /* that were handled */
    bool drained;
    struct error lost; /* why it ends by itself; STATUS_OK: it does not */
    /* lent to the server */
    const char **host, **origin;
    char tokens[APP_PATH_MAX], address[64];
};

/* ---- tokens */

/* --token-file, else a file beside the user's configuration. */
static enum status token_path(struct app *a, char out[APP_PATH_MAX], struct error *err)
{
    const char *given = option_text(a->options, OPT_TOKEN_FILE);
    char *slash;
    enum status st = STATUS_OK;

    if (given) {
        if (snprintf(out, APP_PATH_MAX, "%s", given) >= APP_PATH_MAX)
            st = error_set(err, STATUS_USAGE, "--token-file: the path is too long");
        return st;
    }
    st = options_user_file(out, APP_PATH_MAX - 16, err);
    slash = st ? NULL : strrchr(out, '/');
    if (slash)
        memcpy(slash + 1, "tokens", sizeof("tokens"));
    return st;
}

static void print_token(struct app *a, const char *path, const char *token)
{
    struct str out = STR_INIT;

    str_printf(&out, "token %s\n", token);
    (void)app_print(&out);
    str_deinit(&out);
    log_write(a->log, LOG_INFO, "the token is printed only now; %s has its SHA-256", path);
}

/* At the first start there is no file: one token for everything is made. "": there was one. */
static enum status first_token(struct app *a, const char *path, char token[TOKEN_TEXT_MAX],
                               struct error *err)
{
    struct token_file *f = NULL;
    bool has_one = false;
    enum status st = STATUS_OK;

    if (file_exists(path)) {
        st = token_file_open(path, a->seams, &f, err);
        has_one = !st && token_file_count(f) > 0;
        token_file_free(f);
    }
    token[0] = 0;
    if (st || has_one)
        return st;
    return token_file_add(path, a->seams, "first", TOKEN_ALL, 0, token, err);
}

static int token_main(void *app)
{
    struct app *a = app;
    char path[APP_PATH_MAX], token[TOKEN_TEXT_MAX];
    int64_t lasts = option_int(a->options, OPT_EXPIRES);
    unsigned scopes = TOKEN_ALL;
    struct error err = ERROR_INIT;
    enum status st = token_path(a, path, &err);

    if (!st && option_text(a->options, OPT_SCOPE))
        st = token_scopes_parse(option_text(a->options, OPT_SCOPE), &scopes, &err);
    if (!st)
        st = token_file_add(path, a->seams, options_arg(a->options, 0), scopes,
                            lasts ? seams_wall_ms(a->seams) + lasts : 0, token, &err);
    if (st)
        return app_fail(a, &err);
    if (a->json) {
        struct json *doc = app_document("token");

        jv_set_string(doc, "token", token);
        jv_set_string(doc, "file", path);
        return app_print_json(doc);
    }
    print_token(a, path, token);
    log_write(a->log, LOG_INFO, "a server that runs accepts it within a second or two");
    explicit_bzero(token, sizeof(token));
    return EXIT_OK;
}

static const enum option_id token_options[] = {OPT_TOKEN_FILE, OPT_SCOPE, OPT_EXPIRES, OPT_END};
const struct command_spec cmd_serve_token = {"serve token",
                                             "host",
                                             "NAME",
                                             "make another token for `troupe serve`",
                                             "The token is printed once; the file keeps only its "
                                             "SHA-256. A server that runs follows the\n"
                                             "file. To revoke a token, delete its line.",
                                             token_options,
                                             1,
                                             1,
                                             token_main};

/* ---- options */

/* ADDRESS:PORT, [V6]:PORT, localhost:PORT or PORT. */
static enum status read_listen(const char *text, char address[64], int32_t *port, struct error *err)
{
    const char *colon = strrchr(text, ':'), *from = text;
    size_t n = colon ? (size_t)(colon - text) : 0;
    bool is_v6 = n >= 2 && text[0] == '[' && text[n - 1] == ']';
    bool is_bare_v6 = !is_v6 && memchr(text, ':', n); /* which colon is that of the port? */
    int64_t number = 0;

    if (is_v6) {
        from++;
        n -= 2;
    }
    if (is_bare_v6 || n >= 64 || (colon && n == 0) ||
        !text_to_i64(colon ? colon + 1 : text, &number) || number < 0 || number > 65535)
        return error_set(err, STATUS_USAGE,
                         "--listen %.80s: expected ADDRESS:PORT, as in 127.0.0.1:7117 or [::1]:0",
                         text);
    memcpy(address, from, n);
    address[n] = 0;
    if (!colon || strcmp(address, "localhost") == 0)
        memcpy(address, "127.0.0.1", sizeof("127.0.0.1"));
    *port = (int32_t)number;
    return STATUS_OK;
}

/* The values of an option that is given several times; the list is the caller's. */
static int32_t list_of(const struct options *o, enum option_id id, const char ***out)
{
    int32_t n = option_count(o, id);

    *out = xcalloc((size_t)n + 1, sizeof(**out));
    for (int32_t i = 0; i < n; i++)
        (*out)[i] = option_text_at(o, id, i);
    return n;
}

/* ---- at work */

static void on_drained(void *ctx)
{
    struct serving *s = ctx;

    s->drained = true;
    loop_stop(s->loop);
}

/* A supervisor starts it again, and runs go on from what is on the disk. */
static void on_lost(void *ctx, const struct error *err)
{
    struct serving *s = ctx;

    s->lost = *err;
    serve_drain(s->serve, option_int(s->app->options, OPT_GRACE), on_drained, s);
}

/* After each turn of the loop: signals. */
static void look_for_signal(void *ctx)
{
    struct serving *s = ctx;
    struct app *a = s->app;

    if (a->signal->hangups != s->hangups) {
        s->hangups = a->signal->hangups;
        serve_reload(s->serve);
    }
    if (a->signal->signo && s->serve) {
        int64_t grace_ms = option_int(a->options, OPT_GRACE);

        serve_drain(s->serve, grace_ms, on_drained, s);
    }
}

/* The files of --tls-cert and --tls-key, so that an error names the option. */
static enum status check_tls(const struct options *o, struct error *err)
{
    static const struct {
        enum option_id id;
        const char *name;
    } files[] = {{OPT_TLS_CERT, "--tls-cert"}, {OPT_TLS_KEY, "--tls-key"}};
    enum status st = STATUS_OK;

    if (!option_text(o, OPT_TLS_CERT) != !option_text(o, OPT_TLS_KEY))
        return error_set(err, STATUS_USAGE, "--tls-cert and --tls-key belong together");
    for (size_t i = 0; !st && i < ARRAY_LEN(files) && option_text(o, files[i].id); i++) {
        int fd = -1;

        st = file_open(option_text(o, files[i].id), O_RDONLY, 0, &fd, NULL, err);
        if (st) {
            st = error_as_config(st, err);
            error_note(err, "%s", files[i].name);
        } else {
            close(fd);
        }
    }
    return st;
}

/* A name that no request can have would allow nothing. */
static enum status check_names(const struct options *o, struct error *err)
{
    for (int32_t i = 0; i < option_count(o, OPT_ALLOW_HOST); i++)
        if (!http_gate_is_host(option_text_at(o, OPT_ALLOW_HOST, i)))
            return error_set(err, STATUS_USAGE,
                             "--allow-host %.80s: expected HOST or HOST:PORT, as in "
                             "box.example:8443",
                             option_text_at(o, OPT_ALLOW_HOST, i));
    for (int32_t i = 0; i < option_count(o, OPT_ALLOW_ORIGIN); i++)
        if (!http_gate_is_origin(option_text_at(o, OPT_ALLOW_ORIGIN, i)))
            return error_set(err, STATUS_USAGE,
                             "--allow-origin %.80s: expected SCHEME://HOST or SCHEME://HOST:PORT, "
                             "as in https://example.com",
                             option_text_at(o, OPT_ALLOW_ORIGIN, i));
    return STATUS_OK;
}

static enum status start(struct serving *s, struct error *err)
{
    struct app *a = s->app;
    char token[TOKEN_TEXT_MAX] = "";
    const struct options *o = a->options;
    struct serve_options so = {
        .troupe = a->troupe,
        .config = &s->config,
        .tls_cert = option_text(o, OPT_TLS_CERT),
        .tls_key = option_text(o, OPT_TLS_KEY),
        .n_hosts = list_of(o, OPT_ALLOW_HOST, &s->host),
        .n_origins = list_of(o, OPT_ALLOW_ORIGIN, &s->origin),
        .behind_proxy = option_flag(o, OPT_BEHIND_PROXY),
        .limits = {.max_connections = (int32_t)option_int(o, OPT_MAX_CONNECTIONS),
                   .max_streams_per_subject = (int32_t)option_int(o, OPT_MAX_STREAMS),
                   .bodies_bytes = option_int(o, OPT_BODY_MEMORY)},
        .max_queue = (int32_t)option_int(o, OPT_MAX_QUEUE),
        .model = option_text(o, OPT_MODEL),
        .run = &s->drive.options,
        .runs_at_once = (int32_t)option_int(o, OPT_IN_FLIGHT),
        .log = a->log,
        .seams = a->seams,
        .tracer = app_tracer(a),
        .on_lost = on_lost,
        .ctx = s,
    };
    enum status st = read_listen(option_text(o, OPT_LISTEN), s->address, &so.port, err);

    so.address = s->address;
    so.host = s->host;
    so.origin = s->origin;
    if (!st)
        st = check_names(o, err);
    if (!st)
        st = check_tls(o, err);
    if (!st && !option_flag(o, OPT_NO_TOKEN)) {
        st = token_path(a, s->tokens, err);
        so.token_file = s->tokens;
    }
    if (!st)
        st = serve_check(&so, err);
    if (!st && so.token_file)
        st = first_token(a, s->tokens, token, err);
    if (!st)
        st = serve_start(&so, &s->serve, err);
    if (token[0] && st)
        unlink(s->tokens); /* nobody has seen it: the next start is the first one */
    else if (token[0])
        print_token(a, s->tokens, token);
    explicit_bzero(token, sizeof(token));
    return st;
}

static enum status run(struct serving *s, struct error *err)
{
    struct app *a = s->app;
    struct str line = STR_INIT;
    struct loop_tick *tick;
    enum status st = STATUS_OK;

    tick = loop_tick_new(s->loop, look_for_signal, s);
    a->signal->wake = s->loop;
    str_printf(&line, "listening on %s\n", serve_url(s->serve));
    if (app_print(&line))
        st = error_set(err, STATUS_IO, "cannot write standard output");
    str_deinit(&line);
    while (!st && !s->drained) /* the last run to stop ends the loop, too */
        loop_run(s->loop);
    a->signal->wake = NULL;
    loop_tick_free(tick);
    if (!st && s->lost.status && !a->signal->signo) {
        *err = s->lost;
        st = s->lost.status;
    }
    return st;
}

static int serve_main(void *app)
{
    struct app *a = app;
    struct serving s = {.app = a};
    struct store *store;
    struct error err = ERROR_INIT;
    enum status st = app_serve_config(a, &s.config, &err);

    app_drive_init(&s.drive, a);
    s.drive.options.n_models =
        0; /* --model is one to offer: runs have the models of their record */
    a->signal->catch_hangup();
    if (!st)
        st = app_store(a, true, &store, &err);
    if (!st)
        st = troupe_loop(a->troupe, &s.loop, &err);
    if (!st)
        st = app_trace_open(a, &err);
    if (!st)
        st = app_mcp_open(a, APP_MCP_ALL, &err);
    if (!st)
        st = app_serve_warm(a, &s.config, &err);
    if (!st)
        st = start(&s, &err);
    if (!st)
        st = run(&s, &err);
    serve_free(s.serve);
    serve_config_deinit(&s.config);
    free(s.host);
    free(s.origin);
    app_drive_deinit(&s.drive);
    return st ? app_fail(a, &err) : EXIT_OK;
}

static const enum option_id serve_options[] = {
    OPT_TRUST_PROJECT,   OPT_LISTEN,       OPT_MODEL,       OPT_TOKEN_FILE,   OPT_NO_TOKEN,
    OPT_TLS_CERT,        OPT_TLS_KEY,      OPT_ALLOW_HOST,  OPT_ALLOW_ORIGIN, OPT_BEHIND_PROXY,
    OPT_MAX_CONNECTIONS, OPT_MAX_STREAMS,  OPT_BODY_MEMORY, OPT_MAX_QUEUE,    OPT_IN_FLIGHT,
    OPT_GRACE,           OPT_ROOT,         OPT_DEVICE,      OPT_THREADS,      OPT_KV_MEMORY,
    OPT_CONTEXT,         OPT_CPU_ISA,      OPT_WEIGHT_TYPE, OPT_KV_TYPE,      OPT_OTLP_URL,
    OPT_OTLP_HEADERS,    OPT_OTLP_CONTENT, OPT_END};
const struct command_spec cmd_serve = {
    "serve",
    "host",
    "",
    "serve models, agents, blueprints and runs over HTTP",
    "/v1 is an OpenAI-compatible server for the models, and for the agents and blueprints of the\n"
    "section `serve:` of troupe.yaml. /api/runs starts, lists, shows and follows runs, and takes\n"
    "answers. It also keeps the deadlines, timers and retries of all runs of the store. Prints\n"
    "`listening on URL` when it is ready, and at the first start a token.\n"
    "SIGTERM drains: calls under way may finish, runs stop and can be resumed. SIGHUP reads the\n"
    "tokens and the certificate again.",
    serve_options,
    0,
    0,
    serve_main};
