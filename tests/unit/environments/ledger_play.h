/* ledger_play.h - small helpers that the tests of the ledger share: episodes made and driven.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_UNIT_ENVIRONMENTS_LEDGER_PLAY_H
#define TROUPE_TESTS_UNIT_ENVIRONMENTS_LEDGER_PLAY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "runtime/base/rng.h"
#include "tools/environments/environment.h"

static inline const struct env_ops *ledger(void)
{
    return env_find("ledger");
}

static inline struct env *play_new(struct env_params p)
{
    struct error err = ERROR_INIT;
    struct env *e = NULL;

    assert_int_equal(ledger()->create(&p, &e, &err), STATUS_OK);
    return e;
}

/* Says one call in compact text and compares the answer. */
static inline struct env_effect play_say(struct env *e, const char *text, const char *answer)
{
    struct env_call call;
    struct env_effect fx;
    struct str out = STR_INIT;

    ledger()->parse_compact(e, text, strlen(text), &call);
    ledger()->call_compact(e, &call, &fx, &out);
    assert_string_equal(str_cstr(&out), answer);
    str_deinit(&out);
    return fx;
}

static inline struct env_verdict play_verdict(const struct env *e)
{
    struct env_verdict v;

    ledger()->verify(e, &v);
    return v;
}

/* Lets the scripted expert play to the end. The transcript, if wanted, grows. */
static inline struct env_verdict play_expert(struct env *e, const char *how, struct str *transcript)
{
    struct env_effect fx = {0};
    struct env_call call;
    struct str out = STR_INIT;

    if (transcript)
        ledger()->observe_compact(e, transcript);
    while (!fx.done) {
        ledger()->expert(e, how, &call);
        str_clear(&out);
        ledger()->call_compact(e, &call, &fx, &out);
        if (!transcript)
            continue;
        ledger()->render_call(&call, transcript);
        str_append(transcript, str_cstr(&out), out.len);
    }
    str_deinit(&out);
    return play_verdict(e);
}

#endif
