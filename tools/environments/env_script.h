/* env_script.h - making demonstrations: random draws by seed and index, and a list of pieces.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_ENVIRONMENTS_ENV_SCRIPT_H
#define TROUPE_TOOLS_ENVIRONMENTS_ENV_SCRIPT_H

#include "tools/environments/environment.h"

/* The draws of one demonstration, in order: Philox under the set's seed, one block a draw. */
struct env_dice {
    uint64_t seed, index;
    uint32_t n;
};
double env_roll(struct env_dice *d);                   /* [0, 1) */
int32_t env_roll_below(struct env_dice *d, int32_t n); /* 0 .. n - 1 */
bool env_kind_is(const struct env_demo_spec *s, const char *kind);

struct env_script {
    struct env_piece *out;
    int32_t n, max;
};
/* Append a piece of the environment or of the expert; text is shorter than a piece. */
void env_script_world(struct env_script *s, const char *text, size_t n);
void env_script_expert(struct env_script *s, const char *text, size_t n);
/* A call whose first token (a word of n_word bytes) is a decision that is not trained. */
void env_script_masked(struct env_script *s, const char *text, size_t n, size_t n_word);

/* Curricula: where the second phase starts; the share of skill demonstrations in each phase. */
#define ENV_PHASE_2 0.75
#define ENV_SKILL_1 0.50
#define ENV_SKILL_2 0.25

#endif
