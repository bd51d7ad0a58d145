/* check.h - cmocka and the headers it needs, and what tests of every folder do: end with the words
 * of an error, parse JSON, keep files in a folder of their own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_CHECK_H
#define TROUPE_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"

/* Fails with the words of the error; the call names its struct error `why`. */
#define assert_ok(call)                                                                            \
    do {                                                                                           \
        struct error err_ = ERROR_INIT;                                                            \
        struct error *why = &err_;                                                                 \
        if ((call) != STATUS_OK)                                                                   \
            fail_msg("%s: %s %s", #call, err_.where, err_.message);                                \
    } while (0)

static inline struct json *fixture_json(const char *text)
{
    struct error err = ERROR_INIT;
    struct json *v = NULL;

    if (jv_parse(text, strlen(text), "test", &v, &err))
        fail_msg("%s: %s %s", text, err.where, err.message);
    return v;
}

/* The path of a file in the source tree: out. */
static inline const char *fixture_path(char out[512], const char *name)
{
    const char *root = getenv("TROUPE_SOURCE_DIR");

    (void)snprintf(out, 512, "%s/%s", root ? root : ".", name);
    return out;
}

#endif
