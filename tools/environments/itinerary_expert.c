/* itinerary_expert.c - the scripted policies: "plain" books and goes on, a timeout taken for done;
 * "check" lists the day after every booking, cancels what should not be there, and books again what
 * is missing. Both know only what the tools answered.
 *
 * A booking that was confirmed and is not listed may be on another day, so its reference is
 * cancelled first; if it is absent, that returns a harmless error.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "tools/environments/itinerary.h"

const char *const itinerary_experts[ITINERARY_N_EXPERTS] = {"plain", "check"};

#define MAX_SEARCHES 3 /* a stale search may show no seat at all */

static void set_text(struct env_value *v, char first, const char *rest, size_t n)
{
    v->is_text = true;
    v->text[0] = first;
    memcpy(v->text + 1, rest, n);
}

void itinerary_make_next(struct env_call *out)
{
    *out = (struct env_call){.tool = ITINERARY_NEXT};
}

void itinerary_make_search(struct itinerary_leg leg, struct env_call *out)
{
    *out = (struct env_call){.tool = ITINERARY_SEARCH};
    set_text(&out->arg[0], (char)('a' + leg.from), "", 0);
    set_text(&out->arg[1], (char)('a' + leg.to), "", 0);
    out->arg[2].number = leg.day;
}

void itinerary_make_book(uint8_t offer, struct env_call *out)
{
    const char digit = (char)('0' + offer);

    *out = (struct env_call){.tool = ITINERARY_BOOK};
    set_text(&out->arg[0], 'o', &digit, 1);
}

void itinerary_make_list(uint8_t day, struct env_call *out)
{
    *out = (struct env_call){.tool = ITINERARY_LIST};
    out->arg[0].number = day;
}

void itinerary_make_cancel(uint16_t ref, struct env_call *out)
{
    const char digits[3] = {(char)('0' + ref / 100), (char)('0' + ref / 10 % 10),
                            (char)('0' + ref % 10)};

    *out = (struct env_call){.tool = ITINERARY_CANCEL};
    set_text(&out->arg[0], 'r', digits, 3);
}

/* The next call after an answered look. */
static void mend(const struct itinerary_step *now, uint8_t best_id, struct env_call *out)
{
    if (now->matched) {
        itinerary_make_next(out);
    } else if (now->n_listed == 0) {
        if (now->ref >= 0)
            itinerary_make_cancel((uint16_t)now->ref, out);
        else
            itinerary_make_book(best_id, out);
    } else {
        bool first_is_ours = now->ref >= 0 && now->listed_ref[0] == (uint16_t)now->ref;

        itinerary_make_cancel(now->listed_ref[first_is_ours ? 1 : 0], out);
    }
}

void itinerary_expert(const struct env *e, const char *how, struct env_call *out)
{
    const struct itinerary *t = itinerary_of_const(e);
    const struct itinerary_step *now = &t->now;
    bool looks = strcmp(how, "check") == 0;
    int32_t best = itinerary_best(&now->shown);
    bool stuck = best < 0 && now->tries[ITINERARY_SEARCH] >= MAX_SEARCHES;

    /* The last call under a leg's cap must be NEXT; so must the call after a refused repair
     * (ablation `mask`). */
    if (e->step_calls >= ITINERARY_MAX_CALLS - 1 || now->refused || stuck)
        itinerary_make_next(out);
    else if (best < 0)
        itinerary_make_search(t->leg, out);
    else if (!now->booked)
        itinerary_make_book(now->shown.offer[best].id, out);
    else if (looks && !now->looked)
        itinerary_make_list(t->leg.day, out);
    else if (looks && now->listed)
        mend(now, now->shown.offer[best].id, out);
    else
        itinerary_make_next(out);
}
