/* fuzz_auth_query.c - any text as the query of a redirect: a parameter has one value, which is the
 * same after it was written and read again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "mcp/auth/auth_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const char *query, const char *name)
{
    struct str value = STR_INIT, again = STR_INIT, form = STR_INIT, twice = STR_INIT;
    enum status st = auth_query_value(query, name, &value, NULL);

    if (st && value.len > 0)
        abort();
    if (!st) {
        if (strlen(str_cstr(&value)) != value.len)
            abort();
        auth_form_put(&form, name, str_cstr(&value));
        if (auth_query_value(str_cstr(&form), name, &again, NULL) ||
            strcmp(str_cstr(&again), str_cstr(&value)) != 0)
            abort();
        str_printf(&twice, "%s&%s", query, str_cstr(&form)); /* a second one is never taken */
        if (auth_query_value(str_cstr(&twice), name, &again, NULL) != STATUS_INVALID)
            abort();
    }
    str_deinit(&value);
    str_deinit(&again);
    str_deinit(&form);
    str_deinit(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const names[] = {"code", "state", "iss", "error"};
    char *query = malloc(n + 1);

    if (!query)
        return 0;
    memcpy(query, data ? data : (const uint8_t *)"", n);
    query[n] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        check(query, names[i]);
    free(query);
    return 0;
}
