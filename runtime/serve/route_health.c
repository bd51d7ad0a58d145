/* route_health.c - /healthz: is the server able to serve? /version: what it is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/serve/serve_internal.h"

void route_health(struct serve *s, struct http_call *c, const char *const *part)
{
    static const char ok[] = "{\"status\": \"ok\"}\n", draining[] = "{\"status\": \"draining\"}\n";
    const char *body = s->draining ? draining : ok;

    (void)part;
    http_call_reply_json(c, s->draining ? 503 : 200, body, strlen(body));
}

void route_version(struct serve *s, struct http_call *c, const char *const *part)
{
    struct json *doc = jv_object();

    (void)s;
    (void)part;
    jv_set_string(doc, "schema", "troupe.version/1");
    jv_set_string(doc, "version", APP_VERSION);
    serve_reply_json(c, 200, doc);
}
