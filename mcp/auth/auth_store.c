/* auth_store.c - see auth_store.h.
 *
 *     {"version": 1,
 *      "servers": {URL: {"issuer": ..., "resource": ...}},
 *      "issuers": {ISSUER: {"client": {...}, "tokens": {RESOURCE: {...}}}}}
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/auth_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/file_open.h"
#include "runtime/base/hash.h"
#include "runtime/base/home.h"
#include "runtime/base/memory.h"

#define FILE_BYTES_MAX ((size_t)4 << 20)
#define LOCK_TRIES     200 /* of 5 ms */
#define FILE_BYTE      0   /* of the lock file; the others are for tokens */

enum status auth_store_default_path(struct str *out, struct error *err)
{
    const char *xdg = getenv("XDG_STATE_HOME");
    char home[4096];
    enum status st;

    if (xdg && xdg[0] == '/') { /* a relative one is ignored, as its specification says */
        str_printf(out, "%s/troupe/mcp-auth.json", xdg);
        return STATUS_OK;
    }
    st = home_folder(home, sizeof(home), err);
    if (!st)
        str_printf(out, "%s/.local/state/troupe/mcp-auth.json", home);
    return st;
}

void auth_saved_deinit(struct auth_saved *s)
{
    free(s->issuer);
    free(s->resource);
    auth_client_deinit(&s->client);
    auth_token_deinit(&s->token);
    *s = (struct auth_saved){.issuer = NULL};
}

/* ---- the document */

static char *get_text(const struct json *object, const char *key)
{
    const char *text = jv_get_string(jv_get(object, key), NULL);

    return text ? xstrdup(text) : NULL;
}

static void set_text(struct json *object, const char *key, const char *text)
{
    if (text)
        jv_set_string(object, key, text);
}

static void read_client(const struct json *v, struct auth_client *out)
{
    const char *auth = jv_get_string(jv_get(v, "auth"), "");

    *out = (struct auth_client){.id = get_text(v, "id"),
                                .secret = get_text(v, "secret"),
                                .redirect_uri = get_text(v, "redirect_uri"),
                                .secret_expires_ms = jv_get_int(jv_get(v, "expires_ms"), 0)};
    if (!client_auth_parse(auth, &out->auth))
        out->auth = (enum client_auth)0;
}

static struct json *client_json(const struct auth_client *c)
{
    struct json *v = jv_object();

    set_text(v, "id", c->id);
    set_text(v, "secret", c->secret);
    set_text(v, "redirect_uri", c->redirect_uri);
    jv_set_int(v, "expires_ms", c->secret_expires_ms);
    if (c->auth)
        jv_set_string(v, "auth", client_auth_name(c->auth));
    return v;
}

static void read_token(const struct json *v, struct auth_token *out)
{
    *out = (struct auth_token){.access = get_text(v, "access"),
                               .refresh = get_text(v, "refresh"),
                               .scope = get_text(v, "scope"),
                               .client_id = get_text(v, "client_id"),
                               .dpop_pem = get_text(v, "dpop_pem"),
                               .expires_ms = jv_get_int(jv_get(v, "expires_ms"), 0)};
}

static struct json *token_json(const struct auth_token *t)
{
    struct json *v = jv_object();

    set_text(v, "access", t->access);
    set_text(v, "refresh", t->refresh);
    set_text(v, "scope", t->scope);
    set_text(v, "client_id", t->client_id);
    set_text(v, "dpop_pem", t->dpop_pem);
    jv_set_int(v, "expires_ms", t->expires_ms);
    return v;
}

/* The member, made if it is not there. */
static struct json *member(struct json *object, const char *key)
{
    struct json *v = jv_get(object, key);

    if (jv_kind(v) == JV_OBJECT)
        return v;
    jv_set_adopt(object, key, jv_object());
    return jv_get(object, key);
}

static void read_saved(const struct json *doc, const char *issuer, const char *resource,
                       struct auth_saved *out)
{
    const struct json *v = jv_get(jv_get(doc, "issuers"), issuer);

    *out = (struct auth_saved){.issuer = xstrdup(issuer), .resource = xstrdup(resource)};
    read_client(jv_get(v, "client"), &out->client);
    read_token(jv_get(jv_get(v, "tokens"), resource), &out->token);
}

/* ---- the file */

static enum status check_mode(const char *path, struct error *err)
{
    struct stat info;
    int fd;
    enum status st = file_open(path, O_RDONLY, 0, &fd, &info, err);

    if (st)
        return st;
    close(fd);
    if (!(info.st_mode & (S_IRWXG | S_IRWXO)))
        return STATUS_OK;
    st = error_set(err, STATUS_CONFIG, "%s: other users can read the file", path);
    error_hint(err, "chmod 600 %s", path);
    return st;
}

static enum status load(const char *path, struct json **out, struct error *err)
{
    char *bytes = NULL;
    size_t n = 0;
    enum status st;

    if (!file_exists(path)) {
        *out = jv_object();
        return STATUS_OK;
    }
    st = check_mode(path, err);
    if (!st)
        st = file_read(path, FILE_BYTES_MAX, &bytes, &n, err);
    if (!st && n == 0) { /* a crash between creating and the first writing */
        *out = jv_object();
    } else if (!st && (jv_parse_max(bytes, n, FILE_BYTES_MAX, path, out, NULL) ||
                       jv_get_int(jv_get(*out, "version"), 0) != 1)) {
        st = error_set(err, STATUS_CONFIG, "%s: the file of authorizations cannot be understood",
                       path);
        error_hint(err, "remove it; each MCP server then asks for a login again");
    }
    if (bytes)
        explicit_bzero(bytes, n);
    free(bytes);
    return error_as_config(st, err);
}

static enum status create_folder(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash && slash > path ? xstrndup(path, (size_t)(slash - path)) : NULL;
    enum status st = folder ? dir_make(folder, err) : STATUS_OK;

    free(folder);
    return st;
}

/* An empty file that only its owner can read: file_write_atomic keeps the mode. */
static enum status create(const char *path, struct error *err)
{
    int fd = -1;
    enum status st = STATUS_OK;

    if (!file_exists(path))
        st = file_open(path, O_WRONLY | O_CREAT, S_IRUSR | S_IWUSR, &fd, NULL, err);
    if (fd >= 0)
        close(fd);
    return st;
}

/* Locks one byte of the lock file, for this descriptor. Returns 0 or an errno. */
static int lock_byte(int fd, off_t at)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

    return fcntl(fd, F_OFD_SETLK, &l) == 0 ? 0 : errno == EACCES ? EAGAIN : errno;
}

static enum status open_lock(const char *path, int *fd, struct error *err)
{
    struct str name = STR_INIT;
    enum status st = create_folder(path, err);

    str_printf(&name, "%s.lock", path);
    if (!st)
        st = file_open(str_cstr(&name), O_RDWR | O_CREAT, S_IRUSR | S_IWUSR, fd, NULL, err);
    str_deinit(&name);
    return st;
}

/* The lock of another process is held for some milliseconds; one that is stopped may hold it for
 * ever, so the wait has an end. */
static enum status lock(const char *path, int *fd, struct error *err)
{
    const struct timespec wait = {.tv_nsec = 5000000};
    enum status st = open_lock(path, fd, err);
    int failed = st ? 0 : lock_byte(*fd, FILE_BYTE);

    for (int i = 0; !st && failed == EAGAIN && i < LOCK_TRIES; i++) {
        nanosleep(&wait, NULL);
        failed = lock_byte(*fd, FILE_BYTE);
    }
    if (!failed)
        return st;
    close(*fd);
    if (failed == EAGAIN)
        return error_set(err, STATUS_BUSY, "another process keeps %s.lock locked", path);
    return error_errno(err, failed, "locking %s.lock", path);
}

enum status auth_store_hold(const char *path, const char *issuer, const char *resource, int *fd,
                            struct error *err)
{
    struct str both = STR_INIT;
    enum status st = open_lock(path, fd, err);
    int failed;

    if (st)
        return st;
    str_printf(&both, "%s %s", issuer, resource);
    failed = lock_byte(*fd, 1 + (off_t)(fnv1a64(str_cstr(&both), both.len) >> 2));
    str_deinit(&both);
    if (!failed)
        return STATUS_OK;
    close(*fd);
    return failed == EAGAIN ? error_set(err, STATUS_BUSY, "another process asks for a token")
                            : error_errno(err, failed, "locking %s.lock", path);
}

void auth_store_release(int fd)
{
    close(fd); /* the lock goes with it */
}

static enum status write_doc(const char *path, const struct seams *seams, struct json *doc,
                             struct error *err)
{
    struct str text = STR_INIT;
    enum status st;

    jv_set_int(doc, "version", 1);
    jv_write(doc, 1, &text);
    st = str_ok(&text) ? file_write_atomic(seams, path, str_cstr(&text), text.len, err)
                       : error_set(err, STATUS_NO_MEMORY, "no memory for %s", path);
    if (text.data)
        explicit_bzero(text.data, text.len);
    str_deinit(&text);
    return st;
}

static enum status change(const char *path, const struct seams *seams,
                          void (*edit)(struct json *doc, const char *url,
                                       const struct auth_saved *s),
                          const char *url, const struct auth_saved *s, struct error *err)
{
    struct json *doc = NULL;
    int fd = -1;
    enum status st = lock(path, &fd, err);

    if (st)
        return st;
    st = create(path, err);
    if (!st)
        st = load(path, &doc, err);
    if (!st) {
        edit(doc, url, s);
        st = write_doc(path, seams, doc, err);
    }
    jv_unref(doc);
    close(fd);
    return st;
}

static void edit_put(struct json *doc, const char *url, const struct auth_saved *s)
{
    struct json *server = member(member(doc, "servers"), url);
    struct json *issuer = member(member(doc, "issuers"), s->issuer);

    jv_set_string(server, "issuer", s->issuer);
    jv_set_string(server, "resource", s->resource);
    if (s->client.id)
        jv_set_adopt(issuer, "client", client_json(&s->client));
    else
        jv_remove(issuer, "client");
    if (s->token.access)
        jv_set_adopt(member(issuer, "tokens"), s->resource, token_json(&s->token));
    else
        jv_remove(member(issuer, "tokens"), s->resource);
}

static void edit_forget(struct json *doc, const char *url, const struct auth_saved *s)
{
    const struct json *server = jv_get(jv_get(doc, "servers"), url);
    struct json *issuer =
        jv_get(jv_get(doc, "issuers"), jv_get_string(jv_get(server, "issuer"), ""));

    (void)s;
    if (issuer)
        jv_remove(member(issuer, "tokens"), jv_get_string(jv_get(server, "resource"), ""));
}

enum status auth_store_put(const char *path, const struct seams *seams, const char *url,
                           const struct auth_saved *s, struct error *err)
{
    return change(path, seams, edit_put, url, s, err);
}

enum status auth_store_forget(const char *path, const struct seams *seams, const char *url,
                              struct error *err)
{
    return change(path, seams, edit_forget, url, NULL, err);
}

enum status auth_store_issuer(const char *path, const char *issuer, const char *resource,
                              struct auth_saved *out, struct error *err)
{
    struct json *doc = NULL;
    enum status st = load(path, &doc, err);

    if (!st)
        read_saved(doc, issuer, resource, out);
    jv_unref(doc);
    return st;
}

enum status auth_store_server(const char *path, const char *url, struct auth_saved *out,
                              struct error *err)
{
    struct json *doc = NULL;
    const struct json *server;
    const char *issuer, *resource;
    enum status st = load(path, &doc, err);

    if (!st) {
        server = jv_get(jv_get(doc, "servers"), url);
        issuer = jv_get_string(jv_get(server, "issuer"), NULL);
        resource = jv_get_string(jv_get(server, "resource"), NULL);
        *out = (struct auth_saved){.issuer = NULL};
        if (issuer && resource)
            read_saved(doc, issuer, resource, out);
    }
    jv_unref(doc);
    return st;
}
