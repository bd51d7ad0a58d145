/* serve_config.h - the section `serve:` of troupe.yaml: which blueprints and agents are offered.
 *
 *   serve:
 *     models: [strong, embedded]            # default: all of `models:`, and --model
 *     blueprints:
 *       report: {file: blueprints/report.yaml, input: question}
 *     agents:
 *       helper: {prompt: You answer briefly., model: strong, tools: [read_file], budget: {calls:
 * 20}}
 *
 * /v1 offers them as `model: blueprint/report` and `model: agent/helper`; their tools run here. A
 * blueprint that a message alone cannot start is offered below /api/runs only.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_SERVE_CONFIG_H
#define TROUPE_RUNTIME_SERVE_SERVE_CONFIG_H

#include "blueprints/plan.h"
#include "runtime/base/yaml.h"
#include "runtime/serve/serve_oauth.h"

/* What is offered under a name. A blueprint's input gets the text of the last user message (or all
 * messages, if it is an array); an agent gets the whole conversation. */
struct serve_offer {
    char *name;        /* "blueprint/report" */
    struct plan *plan; /* of an agent: one step */
    char *input;       /* the input that gets the message; NULL: none */
    char *api_only;    /* why /v1 does not offer it; NULL: it does */
    char *where;       /* FILE:LINE:COLUMN of the configuration */
    bool is_agent;
};
struct serve_model_name {
    char *id;     /* as it is written; clients use it */
    char *folder; /* a path in it starts here */
    char *where;  /* FILE:LINE:COLUMN */
};
struct serve_config {
    struct serve_offer *offer; /* (n_offers) */
    int32_t n_offers;
    struct serve_model_name *model; /* (n_models) */
    int32_t n_models;
    struct serve_oauth_config oauth;
    char *models_where; /* FILE:LINE:COLUMN of the list, which may be empty; NULL: there is none */
};
/* Adds a section; a name that is there already stays as it is. Errors have FILE:LINE:COLUMN. */
MUST_CHECK enum status serve_config_add(struct serve_config *c, const struct yaml *y,
                                        const struct yaml_node *section, const char *folder,
                                        struct error *err);
/* By its full name; NULL: not offered. */
const struct serve_offer *serve_config_find(const struct serve_config *c, const char *name);
void serve_config_deinit(struct serve_config *c);

#endif
