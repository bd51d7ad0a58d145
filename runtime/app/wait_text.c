/* wait_text.c - see wait_text.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/wait_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/api/troupe_wait.h"
#include "runtime/app/table.h"
#include "runtime/base/text.h"
#include "runtime/base/time_text.h"

/* An option or a default, as the user types it. */
static void put_value(const struct json *v, struct str *out)
{
    if (jv_kind(v) == JV_STRING)
        str_puts(out, jv_get_string(v, ""));
    else
        jv_write(v, 0, out);
}

static void put_options(const struct json *options, struct str *out)
{
    for (size_t i = 0; i < jv_size(options); i++) {
        str_puts(out, i ? ", " : "  one of: ");
        put_value(jv_at(options, i), out);
    }
    if (jv_size(options))
        str_putc(out, '\n');
}

bool wait_is_over(const struct json *w, int64_t now_ms)
{
    int64_t ms;

    return time_from_rfc3339(jv_get_string(jv_get(w, "deadline"), ""), &ms) && ms <= now_ms;
}

/* "until 2026-03-01 08:00:00+01:00 (59 m 12 s from now), then: no"; "its time was over at ..." */
static void put_deadline(const struct json *w, int64_t now_ms, struct str *out)
{
    const struct json *otherwise = jv_get(w, "default");
    char when[32], left[32];
    int64_t ms;

    if (!time_from_rfc3339(jv_get_string(jv_get(w, "deadline"), ""), &ms))
        return;
    format_time_ms(ms, when, sizeof(when));
    format_duration_ms(ms - now_ms, left, sizeof(left));
    if (ms > now_ms)
        str_printf(out, "  until %s (%s from now)", when, left);
    else
        str_printf(out, "  its time was over at %s", when);
    if (jv_kind(otherwise) != JV_NULL) {
        str_puts(out, ", then: ");
        put_value(otherwise, out);
    }
    str_putc(out, '\n');
}

/* What to type: an answer, or what goes on without one. */
static void put_command(const struct json *w, const char *run, bool with_path, int64_t now_ms,
                        struct str *out)
{
    struct str what = STR_INIT;

    if (wait_is_over(w, now_ms)) {
        str_printf(out, "  troupe resume %s\n", run);
        return;
    }
    str_puts(&what, run);
    if (with_path)
        str_printf(&what, "/%s", jv_get_string(jv_get(w, "path"), ""));
    str_puts(out, "  troupe answer ");
    text_put_shell_word(str_cstr(&what), out);
    str_puts(out, " VALUE\n");
    str_deinit(&what);
}

void wait_put_text(const struct json *w, const char *run, bool with_path, int64_t now_ms,
                   struct str *out)
{
    const char *path = jv_get_string(jv_get(w, "path"), "");
    bool says = strcmp(jv_get_string(jv_get(w, "kind"), ""), "message") == 0;

    str_printf(out, "%s %s: ", path, says ? "says" : "asks");
    put_value(jv_get(w, "prompt"), out);
    str_putc(out, '\n');
    put_options(jv_get(w, "options"), out);
    put_deadline(w, now_ms, out);
    if (run)
        put_command(w, run, with_path, now_ms, out);
}

void wait_print_all(struct app *a, const char *uuid)
{
    struct json *waits = NULL;
    struct str text = STR_INIT;
    struct error err = ERROR_INIT;
    enum status st = troupe_waits(a->troupe, uuid, &waits, &err);

    for (size_t i = 0; i < jv_size(waits); i++)
        wait_put_text(jv_at(waits, i), uuid, jv_size(waits) > 1, seams_wall_ms(a->seams), &text);
    if (st)
        log_write(a->log, LOG_WARN, "cannot read the open questions of the run: %s", err.message);
    log_text(a->log, LOG_INFO, uuid, str_cstr(&text), text.len);
    str_deinit(&text);
    jv_unref(waits);
}
