/* json_read.h - the quick way from JSON text to values.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_JSON_READ_H
#define TROUPE_RUNTIME_BASE_JSON_READ_H

#include <stddef.h>

struct json;

/* The value of a text that json_scan has accepted, the same as jansson's with duplicate keys
 * refused and any value at the top. NULL: the text is not valid, has a number that is too large, or
 * there is no memory; jansson then says what it is. */
struct json *json_read(const char *bytes, size_t n);

#endif
