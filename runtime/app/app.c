/* app.c - printing, errors, and the store of one invocation.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/api/document.h"
#include "runtime/base/home.h"
#include "runtime/base/json.h"

int app_exit_of(enum status st)
{
    switch (st) {
    case STATUS_OK:
        return EXIT_OK;
    case STATUS_USAGE:
        return EXIT_USAGE;
    case STATUS_BUSY:
        return EXIT_BUSY;
    case STATUS_CONFIG:
        return EXIT_CONFIG;
    case STATUS_TIMEOUT:
        return EXIT_TIME;
    case STATUS_WAITING:
        return EXIT_WAITING;
    case STATUS_CANCELLED:
        return EXIT_INTERRUPTED;
    case STATUS_BUDGET:
    case STATUS_REJECTED:
        return EXIT_NOT_OK;
    default:
        return EXIT_FAILED;
    }
}

struct log *app_log(const struct options *o, enum log_level level, bool progress)
{
    struct log *l = log_new(STDERR_FILENO, level, progress);

    if (strcmp(option_text(o, OPT_LOG_FORMAT), "json") == 0)
        log_set_format(l, LOG_JSON);
    return l;
}

static int write_all(const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t w = write(STDOUT_FILENO, bytes, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0 && errno != EPIPE) /* a closed pipe is not an error */
            dprintf(STDERR_FILENO, "troupe: cannot write to standard output: %s\n",
                    strerror(errno));
        if (w < 0)
            return EXIT_FAILED;
        bytes += w;
        n -= (size_t)w;
    }
    return EXIT_OK;
}

int app_print(const struct str *s)
{
    return write_all(str_cstr(s), s->len);
}

int app_print_json(struct json *adopt_document)
{
    struct str s = STR_INIT;
    int code;

    jv_write(adopt_document, 0, &s);
    str_putc(&s, '\n');
    code = app_print(&s);
    str_deinit(&s);
    jv_unref(adopt_document);
    return code;
}

struct json *app_document(const char *name)
{
    return document_new(name);
}

int app_print_done(struct app *a, const char *name, const char *key, const char *value)
{
    struct json *doc;

    if (!a->json)
        return EXIT_OK;
    doc = app_document(name);
    jv_set_string(doc, key, value);
    return app_print_json(doc);
}

void app_print_error(struct app *a, const char *run, const struct error *err)
{
    struct str text = STR_INIT;

    str_printf(&text, "troupe: %s%s%s\n", err->where, err->where[0] ? ": " : "", err->message);
    if (err->hint[0])
        str_printf(&text, "  %s\n", err->hint);
    log_text(a->log, LOG_ERROR, run, str_cstr(&text), text.len);
    str_deinit(&text);
}

/* Is standard output a stream of lines, with the result as the last one? */
static bool is_stream(const struct app *a)
{
    return a->options &&
           (option_flag(a->options, OPT_STREAM) || option_flag(a->options, OPT_FOLLOW));
}

struct json *app_error_json(const struct error *err)
{
    struct json *e = jv_object();

    jv_set_string(e, "code", status_name(err->status));
    jv_set_string(e, "message", err->message);
    jv_set_string(e, "where", err->where);
    if (err->hint[0])
        jv_set_string(e, "hint", err->hint);
    return e;
}

int app_fail(struct app *a, const struct error *err)
{
    app_print_error(a, NULL, err);
    if (a->json) {
        struct json *doc = jv_object();
        if (is_stream(a))
            jv_set_string(doc, "type", "result");
        jv_set_adopt(doc, "error", app_error_json(err));
        app_print_json(doc);
    }
    return app_exit_of(err->status);
}

/* The nearest .troupe/store.db from the working folder upward. */
static bool find_upward(char *out, size_t n)
{
    char dir[1024];

    if (!getcwd(dir, sizeof(dir)))
        return false;
    for (;;) {
        snprintf(out, n, "%s/.troupe/store.db", strcmp(dir, "/") == 0 ? "" : dir);
        if (file_exists(out))
            return true;
        char *slash = strrchr(dir, '/');
        if (!slash || dir[1] == 0)
            return false;
        *(slash == dir ? slash + 1 : slash) = 0;
    }
}

enum status app_store_path(const struct app *a, char *out, size_t n, struct error *err)
{
    const char *given = option_text(a->options, OPT_STORE), *xdg = getenv("XDG_DATA_HOME");
    char home[1024];
    enum status st = STATUS_OK;

    if (given)
        snprintf(out, n, "%s", given);
    else if (find_upward(out, n))
        return STATUS_OK;
    else if (xdg && *xdg)
        snprintf(out, n, "%s/troupe/store.db", xdg);
    else if ((st = home_folder(home, sizeof(home), err)) == STATUS_OK)
        snprintf(out, n, "%s/.local/share/troupe/store.db", home);
    else
        error_hint(err, "--store FILE names a store");
    return st;
}

/* The default places are made; a folder that somebody names must be there, since it may be
 * misspelt.
 */
static enum status check_store_folder(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    char folder[APP_PATH_MAX];

    if (!slash || slash == path)
        return STATUS_OK;
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
    if (file_exists(folder))
        return STATUS_OK;
    error_set(err, STATUS_NOT_FOUND, "--store %s: there is no folder %s", path, folder);
    error_hint(err, "make the folder, or name another place with --store FILE");
    return STATUS_NOT_FOUND;
}

enum status app_store_options(const struct app *a, char path[APP_PATH_MAX],
                              struct store_options *out, struct error *err)
{
    enum status st = app_store_path(a, path, APP_PATH_MAX, err);

    if (!st && option_text(a->options, OPT_STORE))
        st = check_store_folder(path, err);
    if (!st)
        *out = (struct store_options){
            .path = path, .durability = STORE_FULL, .create = true, .seams = a->seams};
    return st;
}

static enum status no_store(const char *path, struct error *err)
{
    error_set(err, STATUS_NOT_FOUND, "no store at %s", path);
    error_hint(err, "`troupe run` creates one; --store names another");
    return STATUS_NOT_FOUND;
}

enum status app_store(struct app *a, bool create, struct store **out, struct error *err)
{
    char path[APP_PATH_MAX];

    if (!a->writes) {
        struct store_options o;
        enum status st = app_store_options(a, path, &o, err);
        if (st)
            return st;
        if (!create && !file_exists(path))
            return no_store(path, err);
        o.create = create;
        st = troupe_open_store(a->troupe, &o, err);
        if (st)
            return st;
        struct store *s = troupe_store(a->troupe);
        a->writes = true;
        if (store_migrated_from(s))
            log_write(a->log, LOG_INFO, "%s was upgraded to store version %d; the old file is %s",
                      store_path(s), STORE_SCHEMA_VERSION, store_migrated_from(s));
    }
    *out = troupe_store(a->troupe);
    return STATUS_OK;
}

enum status app_look(struct app *a, struct store **out, struct error *err)
{
    char path[APP_PATH_MAX];
    enum status st = STATUS_OK;

    if (!troupe_store(a->troupe)) {
        struct store_options o;

        st = app_store_options(a, path, &o, err);
        if (st)
            return st;
        if (!file_exists(path))
            return no_store(path, err);
        o.create = false;
        o.read_only = true;
        st = troupe_open_store(a->troupe, &o, err);
    }
    if (!st)
        *out = troupe_store(a->troupe);
    return st;
}

enum status app_reader(struct app *a, struct store_reader **out, struct error *err)
{
    struct store *s;
    enum status st = app_look(a, &s, err);

    return st ? st : troupe_reader(a->troupe, out, err);
}

int32_t app_threads(const struct app *a)
{
    int64_t n = option_int(a->options, OPT_THREADS);

    if (n == 0)
        n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 1024 ? 1024 : (int32_t)n;
}

uint64_t app_seed(const struct app *a)
{
    if (option_is_set(a->options, OPT_SEED))
        return option_seed(a->options, OPT_SEED);
    return seams_random_u64(a->seams) >> 16; /* short enough to type */
}
