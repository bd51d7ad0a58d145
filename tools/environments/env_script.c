/* env_script.c - random draws and pieces of the demonstrations.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/env_script.h"

#include <string.h>

#include "runtime/base/rng.h"

#define DICE_STREAM 0x64656d6fU /* "demo" */

double env_roll(struct env_dice *d)
{
    struct rng_block b =
        rng_philox(d->seed, (uint32_t)d->index, (uint32_t)(d->index >> 32), d->n++, DICE_STREAM);

    return rng_unit_double(b.word[0], b.word[1]);
}

int32_t env_roll_below(struct env_dice *d, int32_t n)
{
    return (int32_t)(env_roll(d) * n);
}

bool env_kind_is(const struct env_demo_spec *s, const char *kind)
{
    return s->kind && strcmp(s->kind, kind) == 0;
}

static void say(struct env_script *s, const char *text, size_t n, bool expert, bool masked)
{
    struct env_piece *p;

    if (s->n == s->max)
        return;
    p = &s->out[s->n++];
    *p = (struct env_piece){.expert = expert, .masked = masked};
    if (n >= sizeof(p->text))
        n = sizeof(p->text) - 1;
    memcpy(p->text, text, n);
}

void env_script_world(struct env_script *s, const char *text, size_t n)
{
    say(s, text, n, false, false);
}

void env_script_expert(struct env_script *s, const char *text, size_t n)
{
    say(s, text, n, true, false);
}

void env_script_masked(struct env_script *s, const char *text, size_t n, size_t n_word)
{
    say(s, text, n_word, true, true);
    say(s, text + n_word, n - n_word, true, false);
}
