/* fuzz_openai.c - any body as a request: it is taken whole, or refused with an error that is itself
 * a document.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/serve/openai.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_taken(const struct openai_request *r)
{
    if (!r->model || r->n < 1 || r->n > 16 || r->n_stop > OPENAI_MAX_STOPS || r->max_tokens < 0 ||
        (r->kind == OPENAI_CHAT) != (r->messages != NULL) ||
        (r->kind == OPENAI_COMPLETIONS) != (r->n_prompts > 0))
        abort();
    for (int32_t i = 0; i < r->n_prompts; i++)
        if ((r->prompt[i].text != NULL) == (r->prompt[i].ids != NULL))
            abort();
    for (int32_t i = 0; i < r->n_stop; i++)
        if (!r->stop[i] || !r->stop[i][0])
            abort();
}

static void check_error(const struct openai_error *e)
{
    struct str body = STR_INIT;
    struct json *v = NULL;

    openai_error_body(e, &body);
    if (e->http < 400 || !e->message[0] ||
        jv_parse(str_cstr(&body), body.len, "error", &v, NULL) != STATUS_OK)
        abort();
    jv_unref(v);
    str_deinit(&body);
}

/* The first byte chooses the kind of request. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct openai_request r;
    struct openai_error e;

    if (n == 0)
        return 0;
    if (openai_parse(bytes[0] & 1 ? OPENAI_CHAT : OPENAI_COMPLETIONS, (const char *)bytes + 1,
                     n - 1, &r, &e)) {
        check_taken(&r);
        openai_request_deinit(&r);
    } else {
        check_error(&e);
    }
    return 0;
}
