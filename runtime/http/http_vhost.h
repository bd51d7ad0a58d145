/* http_vhost.h - the context of libwebsockets, and its virtual hosts: one for each reading of the
 * certificate.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_HTTP_VHOST_H
#define TROUPE_RUNTIME_HTTP_HTTP_VHOST_H

#include "runtime/http/http_server_internal.h"

struct lws_protocols;
#define HTTP_PROTOCOL "troupe" /* its name in the table of protocols */

/* Sets s->lws, s->vhost and s->max_fd. */
MUST_CHECK enum status http_vhost_start(struct http_server *s, const struct lws_protocols *p,
                                        struct error *err);
/* New connections get the certificate as it is now. */
MUST_CHECK enum status http_vhost_reload(struct http_server *s, const struct lws_protocols *p,
                                         struct error *err);
void http_vhost_reap(struct http_server *s); /* frees retired ones without connections */
/* Its log is not used any more. */
void http_vhost_stop_log(struct http_server *s);
/* After lws_context_destroy and the rounds in which its handles close. */
void http_vhost_stop(struct http_server *s);

#endif
