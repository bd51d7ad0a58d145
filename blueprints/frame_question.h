/* frame_question.h - a question of a step that is WAITING: a row that any process may answer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_FRAME_QUESTION_H
#define TROUPE_BLUEPRINTS_FRAME_QUESTION_H

#include "blueprints/frame.h"

/* Asks under the frame's path; answered is called once with the answer (lent), or with NULL when
 * the deadline passed. */
void question_ask(struct frame *f, const char *kind, struct json *adopt_prompt, int64_t deadline_ms,
                  void (*answered)(struct frame *f, const struct json *answer));
/* Looks whether another process has answered. */
void question_poll(struct frame *f);
void question_end(struct frame *f);

#endif
