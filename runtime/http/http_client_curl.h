/* http_client_curl.h - one transfer of libcurl, for http_client_curl.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_HTTP_CLIENT_CURL_H
#define TROUPE_RUNTIME_HTTP_HTTP_CLIENT_CURL_H

#include <curl/curl.h>

#include "runtime/http/http_fetch_ops.h"
#include "runtime/http/http_fields.h"

struct curl_client;

struct transfer {
    struct transfer *next, **link; /* in the list of the client */
    struct curl_client *client;
    CURL *easy;
    struct http_hop hop; /* nothing lent in it is used once it is dead */
    char origin[288];
    char why[CURL_ERROR_SIZE];
    struct curl_slist *headers, *connect_to;
    size_t body_sent;
    struct http_fields head;
    size_t head_bytes; /* of all header lines */
    int code;
    bool in_head,
        head_done; /* between a status line and its blank line; the final head is complete */
    bool sent;
    bool paused, held; /* is to be; libcurl holds back a piece */
    bool dead;         /* cancelled inside libcurl: removed once that returns */
    bool unwatched;    /* nothing would wake it */
    enum status st;    /* what a callback found wrong, in err; 0: nothing */
    struct error err;
};

MUST_CHECK enum status transfer_new(const struct http_hop *hop, const char *ca_file,
                                    struct transfer **out, struct error *err);
void transfer_free(struct transfer *t); /* it has been removed from the multi handle */
/* What it has come to: fills t->err. */
enum status transfer_result(struct transfer *t, CURLcode rc);

#endif
