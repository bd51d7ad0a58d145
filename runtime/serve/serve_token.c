/* serve_token.c - see serve_token.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/serve/serve_token.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "runtime/base/base64.h"
#include "runtime/base/file_open.h"
#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "runtime/base/time_text.h"

#define FILE_BYTES_MAX ((size_t)1 << 20)
#define SECRET_BYTES   32

struct token {
    struct sha256 hash;
    char name[TOKEN_NAME_BYTES + 1];
    unsigned scopes;
    int64_t expires_ms; /* 0: never */
};
struct token_file {
    const struct seams *seams;
    struct token *token; /* (n) */
    size_t n;
    struct token_file *older; /* replaced ones: requests under way have their names */
};

static const struct {
    const char *word;
    unsigned scopes;
} scope_word[] = {{"v1", TOKEN_V1},
                  {"api", TOKEN_API},
                  {"metrics", TOKEN_METRICS},
                  {"mcp", TOKEN_MCP},
                  {"all", TOKEN_ALL}};

enum status token_scopes_parse(const char *text, unsigned *out, struct error *err)
{
    unsigned all = 0;

    for (const char *at = text;; at++) {
        size_t n = strcspn(at, ","), i = 0;

        while (i < ARRAY_LEN(scope_word) &&
               (strlen(scope_word[i].word) != n || strncmp(scope_word[i].word, at, n) != 0))
            i++;
        if (i == ARRAY_LEN(scope_word))
            return error_set(
                err, STATUS_USAGE,
                "\"%.*s\" is not a scope; the scopes are v1, api, mcp, metrics and all",
                (int)(n < 40 ? n : 40), at);
        all |= scope_word[i].scopes;
        at += n;
        if (!*at)
            break;
    }
    *out = all;
    return STATUS_OK;
}

void token_scopes_put(unsigned scopes, struct str *out)
{
    bool more = false;

    for (size_t i = 0; i < ARRAY_LEN(scope_word); i++) {
        unsigned s = scope_word[i].scopes;
        bool whole = scopes == TOKEN_ALL ? s == TOKEN_ALL : s != TOKEN_ALL && (scopes & s);

        if (whole)
            str_printf(out, "%s%s", more ? "," : "", scope_word[i].word);
        more |= whole;
    }
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hash(const char *hex, struct sha256 *out)
{
    for (size_t i = 0; i < sizeof(out->byte); i++) {
        int high = hex_digit(hex[2 * i]), low = high < 0 ? -1 : hex_digit(hex[2 * i + 1]);

        if (low < 0)
            return false;
        out->byte[i] = (uint8_t)(high << 4 | low);
    }
    return hex[64] == 0;
}

static bool is_name(const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
            return false;
    return n > 0 && n <= TOKEN_NAME_BYTES;
}

/* "HASH NAME SCOPES EXPIRY"; the line is changed. */
static enum status read_line(char *line, const char *path, int number, struct token *out,
                             struct error *err)
{
    char *rest = line, *word[4];
    struct error why = ERROR_INIT;

    for (size_t i = 0; i < 4; i++)
        word[i] = strtok_r(i ? NULL : line, " \t", &rest);
    if (!word[3] || strtok_r(NULL, " \t", &rest) || !read_hash(word[0], &out->hash) ||
        !is_name(word[1]))
        return error_at(err, STATUS_CONFIG, path, number, 1,
                        "expected SHA-256, name, scopes and expiry");
    snprintf(out->name, sizeof(out->name), "%s", word[1]);
    if (token_scopes_parse(word[2], &out->scopes, &why))
        return error_at(err, STATUS_CONFIG, path, number, 1, "%s", why.message);
    out->expires_ms = 0;
    if (strcmp(word[3], "-") != 0 && !time_from_rfc3339(word[3], &out->expires_ms))
        return error_at(err, STATUS_CONFIG, path, number, 1,
                        "\"%.40s\" is not a time, as in 2027-01-31T08:00:00Z", word[3]);
    return STATUS_OK;
}

static const struct token *named(const struct token_file *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->token[i].name, name) == 0)
            return &f->token[i];
    return NULL;
}

/* The scopes of a request are found by the name of its token, so each name is there once. */
static enum status read_lines(struct token_file *f, char *text, const char *path, struct error *err)
{
    enum status st = STATUS_OK;
    int number = 1;

    for (char *line = text, *end; !st && *line; line = end, number++) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = 0;
        if (*line == '#' || line[strspn(line, " \t\r")] == 0)
            continue;
        f->token = xrealloc(f->token, (f->n + 1) * sizeof(*f->token));
        st = read_line(line, path, number, &f->token[f->n], err);
        if (!st && named(f, f->token[f->n].name))
            st = error_at(err, STATUS_CONFIG, path, number, 1, "there is another token named %s",
                          f->token[f->n].name);
        f->n += st == STATUS_OK;
    }
    return st;
}

static enum status read_text(const char *path, char **out, struct error *err)
{
    struct stat info;
    int fd;
    size_t n = 0;
    enum status st = file_open(path, O_RDONLY, 0, &fd, &info, err);

    if (st)
        return st;
    close(fd);
    if (info.st_mode & (S_IRWXG | S_IRWXO)) {
        st = error_set(err, STATUS_CONFIG, "%s: other users can read the file", path);
        error_hint(err, "chmod 600 %s", path);
        return st;
    }
    st = file_read(path, FILE_BYTES_MAX, out, &n, err);
    if (!st && strlen(*out) < n) {
        free(*out);
        st = error_set(err, STATUS_CONFIG, "%s: the file is not a text", path);
    }
    return st;
}

enum status token_file_open(const char *path, const struct seams *seams, struct token_file **out,
                            struct error *err)
{
    struct token_file *f;
    char *text = NULL;
    enum status st = read_text(path, &text, err);

    if (st)
        return st;
    f = xcalloc(1, sizeof(*f));
    f->seams = seams;
    st = read_lines(f, text, path, err);
    free(text);
    if (st)
        token_file_free(f);
    else
        *out = f;
    return st;
}

void token_file_free(struct token_file *f)
{
    while (f) {
        struct token_file *older = f->older;

        free(f->token);
        free(f);
        f = older;
    }
}

void token_file_replace(struct token_file *f, struct token_file *adopt_by)
{
    struct token_file was = *f;

    *f = *adopt_by;
    *adopt_by = was;
    f->older = adopt_by;
}

size_t token_file_count(const struct token_file *f)
{
    return f->n;
}

bool token_file_find(void *token_file, const char *text, size_t n, const char **name)
{
    const struct token_file *f = token_file;
    struct sha256 hash = sha256_of(text, n);
    int64_t now_ms = seams_wall_ms(f->seams);
    size_t found = SIZE_MAX;

    /* Every hash is compared to its end. */
    for (size_t i = 0; i < f->n; i++) {
        unsigned differs = 0;

        for (size_t k = 0; k < sizeof(hash.byte); k++)
            differs |= (unsigned)(hash.byte[k] ^ f->token[i].hash.byte[k]);
        found = differs ? found : i;
    }
    if (found == SIZE_MAX || (f->token[found].expires_ms && f->token[found].expires_ms <= now_ms))
        return false;
    *name = f->token[found].name;
    return true;
}

unsigned token_file_scopes(const struct token_file *f, const char *name)
{
    const struct token *t = named(f, name);

    return t ? t->scopes : 0;
}

/* ---- making */

static void put_secret(const uint8_t bytes[SECRET_BYTES], char out[TOKEN_TEXT_MAX])
{
    struct str text = STR_INIT;

    str_puts(&text, TOKEN_PREFIX);
    base64url_put(&text, bytes, SECRET_BYTES);
    snprintf(out, TOKEN_TEXT_MAX, "%s", str_cstr(&text));
    explicit_bzero(text.data, text.len);
    str_deinit(&text);
}

/* Opens and locks the file, so that others who add a token wait. One that is created is empty, and
 * only its owner can read it; file_write_atomic keeps the mode. Closing *fd releases the lock. */
static enum status lock_file(const char *path, int *fd, struct error *err)
{
    struct stat locked, now;
    enum status st;
    int f = -1;

    for (;;) {
        st = file_open(path, O_RDWR | O_CREAT, S_IRUSR | S_IWUSR, &f, &locked, err);
        if (st)
            return st;
        while (flock(f, LOCK_EX) < 0)
            if (errno != EINTR) {
                st = error_errno(err, errno, "locking %s", path);
                close(f);
                return st;
            }
        /* Another may have replaced it while this one waited. */
        if (stat(path, &now) == 0 && now.st_dev == locked.st_dev && now.st_ino == locked.st_ino)
            break;
        close(f);
    }
    *fd = f;
    return STATUS_OK;
}

static enum status make_folder(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash && slash > path ? xstrndup(path, (size_t)(slash - path)) : NULL;
    enum status st = folder ? dir_make(folder, err) : STATUS_OK;

    free(folder);
    return st;
}

/* The lines of the file, which has no token of that name. */
static enum status read_old(const char *path, const struct seams *seams, const char *name,
                            char **old, struct error *err)
{
    struct token_file *f = NULL;
    enum status st = token_file_open(path, seams, &f, err);

    if (!st && named(f, name))
        st = error_set(err, STATUS_USAGE, "%s already has a token with the name %s", path, name);
    token_file_free(f);
    if (!st)
        st = read_text(path, old, err);
    if (!st && !**old) {
        free(*old);
        *old = xstrdup("# tokens of troupe serve: SHA-256, name, scopes, expiry\n");
    }
    return st;
}

enum status token_file_add(const char *path, const struct seams *seams, const char *name,
                           unsigned scopes, int64_t expires_ms, char out[TOKEN_TEXT_MAX],
                           struct error *err)
{
    struct str text = STR_INIT;
    uint8_t secret[SECRET_BYTES];
    struct sha256 hash;
    char hex[65], *old = NULL;
    int lock = -1;
    enum status st = STATUS_OK;

    if (!is_name(name))
        return error_set(err, STATUS_USAGE,
                         "the name of a token is 1 to %d letters, digits, \"-\", \"_\" and \".\"",
                         TOKEN_NAME_BYTES);
    st = make_folder(path, err);
    if (!st)
        st = lock_file(path, &lock, err);
    if (!st)
        st = read_old(path, seams, name, &old, err);
    if (st)
        goto done;
    seams->random.fill(seams->random.ctx, secret, sizeof(secret));
    put_secret(secret, out);
    explicit_bzero(secret, sizeof(secret));
    hash = sha256_of(out, strlen(out));
    sha256_hex(&hash, hex);
    str_printf(&text, "%s%s%s %s ", old, old[0] && old[strlen(old) - 1] != '\n' ? "\n" : "", hex,
               name);
    token_scopes_put(scopes, &text);
    str_putc(&text, ' ');
    if (expires_ms)
        time_put_rfc3339(&text, expires_ms);
    else
        str_putc(&text, '-');
    str_putc(&text, '\n');
    st = file_write_atomic(seams, path, str_cstr(&text), text.len, err);
    if (st)
        explicit_bzero(out, TOKEN_TEXT_MAX);

done:
    if (lock >= 0)
        close(lock);
    str_deinit(&text);
    free(old);
    return st;
}
