/* app_serve.c - see app_serve.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_serve.h"

#include "runtime/api/troupe_mcp.h"
#include "runtime/config/sections.h"

enum status app_serve_config(struct app *a, struct serve_config *c, struct error *err)
{
    struct section section;
    enum status st = STATUS_OK;

    for (int32_t i = 0; !st && options_section(a->options, SECTION_SERVE, i, &section); i++)
        st = serve_config_add(c, section.yaml, section.node, section.folder, err);
    return st;
}

enum status app_serve_warm(struct app *a, const struct serve_config *c, struct error *err)
{
    enum status st = STATUS_OK;

    for (int32_t i = 0; !st && i < c->n_offers; i++)
        st = troupe_mcp_plan(a->troupe, c->offer[i].plan, err);
    if (!st)
        troupe_mcp_warm_later(a->troupe);
    return st;
}
