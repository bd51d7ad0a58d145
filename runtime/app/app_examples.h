/* app_examples.h - the examples of supervised training: conversations (--data), demonstrations of
 * an environment (--env) or the token ids of recorded runs (--from-runs), and the held-out part.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_EXAMPLES_H
#define TROUPE_RUNTIME_APP_APP_EXAMPLES_H

#include "models/arch/weights.h"
#include "models/formats/tokenizer.h"
#include "models/train/example_source.h"
#include "runtime/app/app.h"
#include "runtime/app/app_mix.h"

struct app_examples {
    struct app_mix mix; /* with --env */
    struct example_source *data;
    const struct example_source *held_out; /* NULL: none */
    struct example_source *own_held_out;   /* when it is a file of its own */
    void (*free_source)(struct example_source *s);
};

/* model, tokenizer (lent) and start: name, tokenizer and weights of the model to train. */
MUST_CHECK enum status app_examples_open(struct app *a, const char *model,
                                         struct tokenizer *tokenizer, const struct weights *start,
                                         struct app_examples *out, struct error *err);
void app_examples_close(struct app_examples *x); /* also of a zeroed one */

#endif
