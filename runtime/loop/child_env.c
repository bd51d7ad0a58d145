/* child_env.c - the kept variables, then the named ones.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/loop/child_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

static const char *const kept[] = {CHILD_ENV_KEPT};

/* The place of a variable of this name, or the first free one. */
static size_t place_of(char *const *env, const char *name, size_t len)
{
    size_t i = 0;

    while (env[i] && (strncmp(env[i], name, len) != 0 || env[i][len] != '='))
        i++;
    return i;
}

static enum status add(char **env, const char *name, size_t len, const char *value,
                       struct error *err)
{
    size_t i = place_of(env, name, len), n_value = strlen(value) + 1;
    char *text = mem_alloc(len + 1 + n_value, 1);

    if (!text)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the environment of a child");
    memcpy(text, name, len);
    text[len] = '=';
    memcpy(text + len + 1, value, n_value);
    free(env[i]);
    env[i] = text;
    return STATUS_OK;
}

/* A shell would run an exported function, "() { ... }". */
static bool is_plain(const char *value)
{
    return value && strncmp(value, "()", 2) != 0;
}

enum status child_env_new(const char *const *named, char ***out, struct error *err)
{
    enum status st = STATUS_OK;
    size_t n = 0;
    char **env;

    while (named && named[n])
        n++;
    env = mem_alloc(ARRAY_LEN(kept) + n + 1, sizeof(*env));
    if (!env)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the environment of a child");
    for (size_t i = 0; i < ARRAY_LEN(kept) && st == STATUS_OK; i++)
        if (is_plain(getenv(kept[i])))
            st = add(env, kept[i], strlen(kept[i]), getenv(kept[i]), err);
    for (size_t i = 0; i < n && st == STATUS_OK; i++) {
        const char *equals = strchr(named[i], '=');

        if (!equals || equals == named[i])
            st = error_set(err, STATUS_INVALID,
                           "a variable of the environment must have the form NAME=VALUE, and "
                           "number %zu has not",
                           i + 1);
        else
            st = add(env, named[i], (size_t)(equals - named[i]), equals + 1, err);
    }
    if (st) {
        child_env_free(env);
        return st;
    }
    *out = env;
    return STATUS_OK;
}

void child_env_free(char **env)
{
    for (size_t i = 0; env && env[i]; i++) {
        explicit_bzero(env[i], strlen(env[i])); /* it may be a key */
        free(env[i]);
    }
    free(env);
}
