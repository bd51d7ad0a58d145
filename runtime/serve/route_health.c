/* route_health.c - /healthz: the server serves, and its store takes records (while it drains, the
 * HTTP server itself replies 503).
 * /version: what it is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/serve/serve_internal.h"

void route_health(struct serve *s, struct http_call *c, const char *const *part)
{
    static const char ok[] = "{\"status\": \"ok\"}\n";
    static const char lost[] = "{\"status\": \"error\", \"reason\": \"the store takes no more "
                               "records; the server must be started again\"}\n";

    (void)part;
    if (store_can_record(troupe_store(s->troupe), NULL))
        http_call_reply_json(c, 503, lost, strlen(lost));
    else
        http_call_reply_json(c, 200, ok, strlen(ok));
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
