/* fuzz_sse.c - any bytes as an event stream: the same events however the bytes are cut, and an
 * event that is written again is read back.
 *
 * The first byte says how long the parts are.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/http/sse.h"

#define MAX_EVENT 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct reader {
    struct str out;
};

static void put_event(struct str *out, const struct sse_event *e)
{
    str_printf(out, "%s|%s|%zu|%lld|", e->event, e->id, e->n, (long long)e->retry_ms);
    str_append(out, e->data, e->n);
    str_putc(out, '\n');
}

static enum status on_event(void *ctx, const struct sse_event *e, struct error *err)
{
    struct reader *r = ctx;

    (void)err;
    if (e->data[e->n] != '\0' || e->n > MAX_EVENT || strpbrk(e->event, "\r\n") ||
        strpbrk(e->id, "\r\n"))
        abort();
    put_event(&r->out, e);
    return STATUS_OK;
}

static enum status on_copy(void *ctx, const struct sse_event *e, struct error *err)
{
    struct str text = STR_INIT;
    struct reader copy = {.out = STR_INIT};
    struct sse_parser *p = sse_parser_new(2 * MAX_EVENT + 16, on_event, &copy);
    struct str expected = STR_INIT;
    struct sse_event same = *e;

    (void)ctx;
    same.retry_ms = -1;
    put_event(&expected, &same);
    sse_write(&text, e->event, e->id, e->data, e->n);
    if (sse_feed(p, str_cstr(&text), text.len, err))
        abort();
    if (copy.out.len != expected.len || memcmp(copy.out.data, expected.data, expected.len) != 0)
        abort();
    sse_parser_free(p);
    str_deinit(&copy.out);
    str_deinit(&expected);
    str_deinit(&text);
    return STATUS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct reader whole = {.out = STR_INIT}, parts = {.out = STR_INIT};
    struct sse_parser *a = sse_parser_new(MAX_EVENT, on_event, &whole);
    struct sse_parser *b = sse_parser_new(MAX_EVENT, on_event, &parts);
    struct sse_parser *c = sse_parser_new(MAX_EVENT, on_copy, NULL);
    size_t step = n ? 1 + data[0] % 16 : 1;
    enum status st_a, st_b = STATUS_OK, st_c;

    st_a = sse_feed(a, (const char *)data, n, NULL);
    st_c = sse_feed(c, (const char *)data, n, NULL);
    for (size_t i = 0; i < n && st_b == STATUS_OK; i += step)
        st_b = sse_feed(b, (const char *)data + i, n - i < step ? n - i : step, NULL);
    if (st_a != st_b || st_a != st_c || whole.out.len != parts.out.len ||
        strcmp(sse_last_id(a), sse_last_id(b)) != 0 ||
        (whole.out.len > 0 && memcmp(whole.out.data, parts.out.data, whole.out.len) != 0))
        abort();
    sse_parser_free(a);
    sse_parser_free(b);
    sse_parser_free(c);
    str_deinit(&whole.out);
    str_deinit(&parts.out);
    return 0;
}
