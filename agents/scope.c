/* scope.c - budgets: what remains, here and in every parent.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/scope.h"

#include <assert.h>

#include "runtime/base/text.h"

static bool is_over(int64_t used, int64_t more, int64_t limit)
{
    return limit > 0 && more > 0 && used > limit - more;
}

static enum status spent(const char *what, int64_t limit, struct error *err)
{
    return error_set(err, STATUS_BUDGET, "the budget of %lld %s%s is used up", (long long)limit,
                     what, plural_s(limit));
}

enum status budget_fits(const struct budget *b, int64_t now_ms, int64_t tokens, int64_t steps,
                        int64_t calls, struct error *err)
{
    for (; b; b = b->parent) {
        if (is_over(b->tokens, tokens, b->tokens_limit))
            return spent("token", b->tokens_limit, err);
        if (is_over(b->steps, steps, b->steps_limit))
            return spent("step", b->steps_limit, err);
        if (is_over(b->calls, calls, b->calls_limit))
            return spent("tool call", b->calls_limit, err);
        if (b->wall_ms_limit > 0 && now_ms - b->started_ms >= b->wall_ms_limit)
            return error_set(err, STATUS_TIMEOUT, "the wall time budget of %lld ms is used up",
                             (long long)b->wall_ms_limit);
    }
    return STATUS_OK;
}

void budget_spend(struct budget *b, int64_t tokens, int64_t steps, int64_t calls)
{
    for (; b; b = b->parent) {
        b->tokens += tokens;
        b->steps += steps;
        b->calls += calls;
        assert(b->tokens >= 0 && b->steps >= 0 &&
               b->calls >= 0); /* not more returned than reserved */
    }
}

enum status budget_cost_fits(const struct budget *b, int64_t nano, struct error *err)
{
    for (; b; b = b->parent) {
        if (is_over(b->cost_nano, nano, b->cost_nano_limit))
            return error_set(err, STATUS_BUDGET,
                             "the budget of %.9g dollars is used up: %.9g are spent or reserved, "
                             "and the next model call may cost %.9g",
                             1e-9 * (double)b->cost_nano_limit, 1e-9 * (double)b->cost_nano,
                             1e-9 * (double)nano);
    }
    return STATUS_OK;
}

void budget_spend_cost(struct budget *b, int64_t nano)
{
    for (; b; b = b->parent) {
        b->cost_nano += nano;
        assert(b->cost_nano >= 0);
    }
}

int64_t budget_cost_left(const struct budget *b)
{
    int64_t left = INT64_MAX;

    for (; b; b = b->parent) {
        if (b->cost_nano_limit > 0 && b->cost_nano_limit - b->cost_nano < left)
            left = b->cost_nano_limit - b->cost_nano;
    }
    return left > 0 ? left : 0;
}

int64_t budget_tokens_left(const struct budget *b)
{
    int64_t left = INT64_MAX;

    for (; b; b = b->parent) {
        if (b->tokens_limit > 0 && b->tokens_limit - b->tokens < left)
            left = b->tokens_limit - b->tokens;
    }
    return left > 0 ? left : 0;
}

int64_t budget_deadline_ms(const struct budget *b)
{
    int64_t at = 0;

    for (; b; b = b->parent) {
        int64_t mine = b->wall_ms_limit > 0 ? b->started_ms + b->wall_ms_limit : 0;

        if (mine > 0 && (at == 0 || mine < at))
            at = mine;
    }
    return at;
}
