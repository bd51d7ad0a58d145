/* run_summary.h - what a list of runs says of one: its model, and what it counted.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_RUN_SUMMARY_H
#define TROUPE_RUNTIME_API_RUN_SUMMARY_H

#include "runtime/store/query.h"

/* Below 0: not known. */
struct run_counts {
    int64_t steps, tok_in, tok_out, tokens;
};
/* Of a run, what its journal has. Of an evaluation, what its rows or its episodes say: an episode
 * or a run of it is not in its own journal. q: to look for episodes, or NULL in a callback of
 * query_run, whose statement the look would disturb. */
struct run_counts run_count(const struct run_row *r, struct store_reader *q);
struct json *run_count_json(int64_t count); /* null: not known */
/* One run in troupe.runs/1; q as above: new. */
struct json *run_summary_json(const struct run_row *r, struct store_reader *q);
/* A word as a set of one status; NULL: of all. STATUS_USAGE: unknown; the hint names them. */
MUST_CHECK enum status run_statuses_parse(const char *said, uint32_t *out, struct error *err);
/* The model of its (first) agent, or the script that acted in its place; NULL: none was used. Lent
 * by the configuration. */
const char *run_model_name(const struct json *config);
/* The member `cost` in dollars; nothing for 0. */
void run_set_cost(struct json *doc, int64_t nano);
/* What the environment said of the agent whose step this is, or NULL; lent by the step. Any other
 * result may have a member "verdict" too, which means nothing here. */
const struct json *run_step_verdict(const struct step_row *s);
/* The episodes in the order of the numbers in their paths: a new array. */
struct json *run_sort_episodes(const struct json *episodes);

#endif
