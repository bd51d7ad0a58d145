/* http.c - names of methods, texts of status codes, look-up of fields.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/http/http.h"

#include <string.h>

#include "runtime/base/memory.h"

static const char *const method_names[] = {"GET",    "HEAD",    "POST",  "PUT",
                                           "DELETE", "OPTIONS", "PATCH", ""};

const char *http_method_name(enum http_method m)
{
    return method_names[m];
}

const char *http_field_value(const struct http_field *fields, int32_t n, const char *name)
{
    for (int32_t i = 0; i < n; i++)
        if (fields[i].name[0] == name[0] && strcmp(fields[i].name, name) == 0)
            return fields[i].value;
    return NULL;
}

/* IANA, "Hypertext Transfer Protocol (HTTP) Status Code Registry". */
static const struct {
    int code;
    const char *text;
} status_texts[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char *http_status_text(int code)
{
    for (size_t i = 0; i < ARRAY_LEN(status_texts); i++)
        if (status_texts[i].code == code)
            return status_texts[i].text;
    return "";
}
