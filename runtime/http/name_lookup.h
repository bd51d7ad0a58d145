/* name_lookup.h - the addresses of host names, found by the system's resolver on threads.
 *
 * A lookup cannot be interrupted: one that nobody waits for any more ends by itself, and ending the
 * program does not wait for it. At most LOOKUP_THREADS run at a time, others wait. All functions
 * are called on the loop's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_NAME_LOOKUP_H
#define TROUPE_RUNTIME_HTTP_NAME_LOOKUP_H

#include <stdint.h>

#include "runtime/base/status.h"

#define LOOKUP_THREADS       16
#define LOOKUP_ADDRESSES_MAX 8
#define LOOKUP_TEXT          48 /* bytes of an address as text, with its NUL */

struct loop;
struct name_lookups;
struct name_lookup;

/* n addresses, the preferred one first (RFC 6724), or n 0 and the reason. STATUS_NOT_FOUND: the
 * name does not exist; STATUS_IO: it could not be found out. */
typedef void (*name_found)(void *ctx, enum status st, char (*address)[LOOKUP_TEXT], int32_t n,
                           const struct error *err);

struct name_lookups *name_lookups_new(struct loop *l);
void name_lookups_free(struct name_lookups *n); /* no callback follows */

/* `found` is called once, never inside. A host of more than 255 bytes is not found. */
struct name_lookup *name_lookup_start(struct name_lookups *n, const char *host, name_found found,
                                      void *ctx);
void name_lookup_cancel(struct name_lookup *l); /* no callback follows */

#endif
