/* run_text.c - see run_text.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/run_text.h"

#include <string.h>

#include "runtime/api/run_summary.h"

void run_put_dollars(int64_t nano, struct str *out)
{
    if (nano >= 100000)
        str_printf(out, "$%.4f", 1e-9 * (double)nano);
    else if (nano > 0)
        str_puts(out, "below $0.0001");
}

void run_put_cost(int64_t nano, struct str *out)
{
    if (nano > 0)
        str_puts(out, ", ");
    run_put_dollars(nano, out);
}

void run_put_model(const struct json *config, struct str *out)
{
    const char *name = run_model_name(config), *path = name, *from;
    int parts = 0;

    if (!name) {
        str_putc(out, '-');
        return;
    }
    if (strncmp(name, "script:", 7) == 0)
        path = name + 7;
    else if (strncmp(name, "hf:", 3) == 0)
        path = name + strlen(name);
    str_append(out, name, (size_t)(path - name));
    for (from = path + strlen(path); from > path && parts < 2; from--)
        parts += from[-1] == '/';
    if (parts == 2)
        from++;
    str_puts(out, from);
}

void run_put_rows(const struct json *output, struct str *out)
{
    const struct json *rows = jv_get(output, "rows");

    for (size_t i = 0; i < jv_size(rows); i++) {
        const struct json *row = jv_at(rows, i);

        if (jv_get(row, "horizon"))
            str_printf(out, "horizon %lld, p %g, temperature %g: ",
                       (long long)jv_get_int(jv_get(row, "horizon"), 0),
                       jv_get_number(jv_get(row, "p"), 0),
                       jv_get_number(jv_get(row, "temperature"), 0));
        str_printf(out, "%lld of %lld succeeded, %.3f (%.3f-%.3f)\n",
                   (long long)jv_get_int(jv_get(row, "successes"), 0),
                   (long long)jv_get_int(jv_get(row, "episodes"), 0),
                   jv_get_number(jv_get(row, "success"), 0),
                   jv_get_number(jv_get(row, "success_low"), 0),
                   jv_get_number(jv_get(row, "success_high"), 0));
    }
}
