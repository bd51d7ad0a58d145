/* fuzz_expr.c - any bytes as an expression and as a template: an error with a message, or a
 * bounded value.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/expr.h"
#include "blueprints/plan.h"
#include "runtime/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct json *vars(void)
{
    static const char text[] =
        "{\"inputs\":{\"topic\":\"bees\",\"n\":3,\"rate\":0.5,\"big\":9223372036854775807},"
        "\"plan\":{\"queries\":[\"a\",\"b\",[1,{\"x\":null}]],\"title\":\"T\"},\"ok\":true,"
        "\"item\":7,"
        "\"state\":{\"plan\":\"ok\"}}";
    struct json *v = NULL;

    if (jv_parse(text, sizeof(text) - 1, "vars", &v, NULL))
        abort();
    return v;
}

/* An error has a status, a position and a message that can be written as JSON. */
static void check_fault(enum status st, const struct error *err)
{
    size_t words = strlen(err->message);

    if (st != err->status || words == 0 || strncmp(err->where, "1:", 2) != 0 ||
        utf8_valid_prefix(err->message, words) != words)
        abort();
}

static void check_value(struct json *v)
{
    char *text;

    if (plan_value_fits(v)) {
        text = jv_dump(v);
        free(text);
    }
    jv_unref(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct json *names = vars();
    struct expr *e = NULL;
    struct expr_template *t = NULL;
    struct json *out = NULL;
    struct error err = ERROR_INIT;
    enum status st = expr_parse((const char *)data, n, &e, &err);

    if (!st)
        st = expr_eval(e, names, &out, &err);
    if (st)
        check_fault(st, &err);
    else
        check_value(out);
    expr_free(e);
    out = NULL;
    err = ERROR_INIT;
    st = expr_template_parse((const char *)data, n, &t, &err);
    if (!st)
        st = expr_template_eval(t, names, &out, &err);
    if (st)
        check_fault(st, &err);
    else
        check_value(out);
    expr_template_free(t);
    jv_unref(names);
    return 0;
}
