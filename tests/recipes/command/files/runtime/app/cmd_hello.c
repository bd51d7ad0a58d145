/* cmd_hello.c - hello: prints a greeting, or with --json a document.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app.h"
#include "runtime/base/json.h"

static int hello_main(void *app)
{
    struct app *a = app;
    struct str s = STR_INIT;
    const char *whom = "world";
    int code;

    if (a->json) {
        struct json *doc = app_document("hello");
        jv_set_string(doc, "hello", whom);
        return app_print_json(doc);
    }
    str_printf(&s, "hello, %s\n", whom);
    code = app_print(&s);
    str_deinit(&s);
    return code;
}

static const enum option_id hello_options[] = {OPT_END};
const struct command_spec cmd_hello = {"hello",       "host", "", "greets",  NULL,
                                       hello_options, 0,      0,  hello_main};
