/* client_script.h - an mcp_client used step by step: each step runs the loop until its answer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_CLIENT_SCRIPT_H
#define TROUPE_TESTS_CLIENT_SCRIPT_H

#include "client_login.h"
#include "mcp/client/client.h"
#include "runtime/base/str.h"

#define SCRIPT_TEXTS 64

struct script {
    struct loop *loop;
    struct http_client *http;
    struct client_login *login;
    struct mcp_client *client;
    struct mcp_caller *caller;
    struct json_view context;
    struct str context_text;
    struct str texts[SCRIPT_TEXTS]; /* results, which views are lent from */
    int n_texts;
    int n_faults; /* requests that failed; each is on standard error */
    bool is_done;
    enum mcp_answer_kind kind; /* of the last answer */
};

/* Faults end the program. revision, context: or NULL. */
void script_open(struct script *s, const char *url, const char *scenario, const char *revision,
                 const char *context);
void script_close(struct script *s);
bool script_connect(struct script *s);

/* The items of a list, lent until the script is closed. */
struct json_view script_list(struct script *s, enum mcp_method method, const char *member);
void script_call(struct script *s, struct json_view tool, const char *arguments);
/* A request with one member in its params. */
void script_ask(struct script *s, enum mcp_method method, const char *member,
                struct json_view value);

#endif
