/* secret.c - references to secrets in configuration values.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/config/secret.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/text.h"

#define SECRET_MAX_BYTES 65536

static enum status from_env(const char *name, struct str *out, struct error *err)
{
    const char *value = getenv(name);

    if (!value || !*value)
        return error_set(err, STATUS_CONFIG, "${env:%s}: the variable is not set", name);
    str_puts(out, value);
    return STATUS_OK;
}

static enum status from_file(const char *name, const char *folder, struct str *out,
                             struct error *err)
{
    struct str path = STR_INIT, word = STR_INIT;
    struct stat info;
    char *bytes = NULL;
    size_t n = 0;
    enum status st;

    if (name[0] != '/' && folder)
        str_printf(&path, "%s/", folder);
    str_puts(&path, name);
    st = file_read(str_cstr(&path), SECRET_MAX_BYTES, &bytes, &n, err);
    if (st) {
        error_note(err, "${file:%s}", name);
        st = STATUS_CONFIG;
        if (err)
            err->status = st;
    } else if (stat(str_cstr(&path), &info) == 0 && (info.st_mode & 077)) {
        st = error_set(err, STATUS_CONFIG, "${file:%s}: other users can read this file (mode %04o)",
                       name, (unsigned)(info.st_mode & 07777));
        text_put_shell_word(str_cstr(&path), &word);
        error_hint(err, "run `chmod 600 %s` to make it private", str_cstr(&word));
    } else {
        str_append(out, bytes, strcspn(bytes, "\r\n"));
    }
    free(bytes);
    str_deinit(&path);
    str_deinit(&word);
    return st;
}

/* The reference whose text is between the braces. */
static enum status one(const char *text, size_t n, const char *folder, struct str *out,
                       struct error *err)
{
    char *reference = xstrndup(text, n);
    enum status st;

    if (strncmp(reference, "env:", 4) == 0 && reference[4])
        st = from_env(reference + 4, out, err);
    else if (strncmp(reference, "file:", 5) == 0 && reference[5])
        st = from_file(reference + 5, folder, out, err);
    else
        st = error_set(
            err, STATUS_CONFIG,
            "${%.60s} is not a reference to a secret; expected ${env:NAME} or ${file:PATH}",
            reference);
    free(reference);
    return st;
}

enum status secret_resolve(const char *text, const char *folder, struct str *out, struct error *err)
{
    struct str made = STR_INIT;
    enum status st = STATUS_OK;

    while (*text && st == STATUS_OK) {
        const char *end = text[0] == '$' && text[1] == '{' ? strchr(text, '}') : NULL;

        if (end) {
            st = one(text + 2, (size_t)(end - text) - 2, folder, &made, err);
            text = end + 1;
        } else if (text[0] == '$' && text[1] == '{') {
            st = error_set(err, STATUS_CONFIG, "`${` without a closing `}`");
        } else {
            str_putc(&made, *text);
            text += text[0] == '$' && text[1] == '$' ? 2 : 1;
        }
    }
    if (st == STATUS_OK && !str_ok(&made))
        st = error_set(err, STATUS_NO_MEMORY, "no memory for a secret");
    if (st == STATUS_OK)
        str_append(out, str_cstr(&made), made.len);
    str_deinit(&made);
    return st;
}

bool secret_is_reference(const char *text)
{
    return strstr(text, "${") != NULL;
}
