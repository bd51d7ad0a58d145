/* turn.h - the moves of an agent's state machine (turn.c): perceive, reason, act.
 *
 * A move returns true if the next move can follow at once; false if the agent must wait or has
 * ended.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_TURN_H
#define TROUPE_AGENTS_TURN_H

#include "agents/agent_state.h"

bool turn_perceive(struct agent *a);
bool turn_reason(struct agent *a);
bool turn_reasoning(struct agent *a);
bool turn_act(struct agent *a);
bool turn_acting(struct agent *a);
/* turn_talk.c */
/* Asks for the next message if it is time to; *asks: it does. */
MUST_CHECK enum status turn_talk(struct agent *a, bool *asks, struct error *err);
bool turn_listening(struct agent *a);
/* The reply was cut short by the person: what came of it is the reply. */
void turn_keep_cut(struct agent *a);
/* The model call failed: the message is taken back. Returns true. */
bool turn_talk_failed(struct agent *a, const struct error *why);
void turn_drop_question(struct agent *a);
void turn_drop_step(struct agent *a); /* abandons the call in flight, if there is one */

/* The path of the current turn, scope/turn:n, into a->base. */
void turn_path(struct agent *a);

/* turn_vote.c. Counts the reply in a->call; *more: another sample is needed. */
MUST_CHECK enum status vote_count(struct agent *a, bool *more, struct error *err);
/* The call id of the next sample. */
uint64_t vote_call_id(const struct agent *a, uint64_t call_id);
/* The winner becomes a->call's reply. Returns how many of its ids the session does not have. */
int32_t vote_decide(struct agent *a);

#endif
