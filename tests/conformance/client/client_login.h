/* client_login.h - authorization of the client under test, without a browser: the suite's server
 * answers the login page at once with a redirect, whose query is taken from there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_CLIENT_LOGIN_H
#define TROUPE_TESTS_CLIENT_LOGIN_H

#include "mcp/client/client_auth.h"

struct client_login;
/* context: the scenario's data; lent as url is. Faults end the program. */
struct client_login *client_login_new(struct loop *l, struct http_client *http, const char *url,
                                      const char *scenario, struct json_view context);
void client_login_free(struct client_login *c); /* after the client, before the HTTP client */
struct mcp_client_auth client_login_ops(struct client_login *c);

#endif
