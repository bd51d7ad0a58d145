/* hub_seal.c - see hub_seal.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/hub_seal.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/base64.h"
#include "runtime/base/memory.h"
#include "runtime/base/signature.h"

struct hub_seal {
    const struct seams *seams;
    unsigned char key[HUB_KEY_BYTES];
};

/* What is behind the MAC, before the inner state. */
struct head {
    unsigned char expires_ms[8]; /* big endian */
    unsigned char nonce[HUB_NONCE_BYTES];
};
_Static_assert(sizeof(struct head) == 24, "the head has no gaps");

struct hub_seal *hub_seal_new(const struct seams *seams, const unsigned char *key)
{
    struct hub_seal *s = xcalloc(1, sizeof(*s));

    s->seams = seams;
    if (key)
        memcpy(s->key, key, sizeof(s->key));
    else
        seams->random.fill(seams->random.ctx, s->key, sizeof(s->key));
    return s;
}

void hub_seal_free(struct hub_seal *s)
{
    if (s)
        explicit_bzero(s->key, sizeof(s->key));
    free(s);
}

/* Texts of any content, so that no two lists of texts give the same bytes. */
static void add_text(struct hasher *h, const char *text, size_t n)
{
    uint64_t size = n;

    hasher_add(h, &size, sizeof(size));
    hasher_add(h, text, n);
}

static struct sha256 mac_of(const struct hub_seal *s, const struct hub_bond *bond, const char *body,
                            size_t n)
{
    struct hasher *h = hasher_new();
    struct sha256 digest;

    add_text(h, bond->principal, strlen(bond->principal));
    add_text(h, bond->server, strlen(bond->server));
    hasher_add(h, &bond->request, sizeof(bond->request));
    add_text(h, body, n);
    digest = hasher_finish(h);
    return hmac_sha256(s->key, sizeof(s->key), &digest, sizeof(digest));
}

bool hub_seal_put(struct hub_seal *s, const struct hub_bond *bond, int64_t expires_ms,
                  const char *inner, size_t n, struct str *out)
{
    struct str body, whole;
    struct head head;
    struct sha256 mac;
    bool ok;

    for (int i = 0; i < 8; i++)
        head.expires_ms[i] = (unsigned char)((uint64_t)expires_ms >> (56 - 8 * i));
    s->seams->random.fill(s->seams->random.ctx, head.nonce, sizeof(head.nonce));
    str_init(&body, sizeof(head) + n);
    str_append(&body, (const char *)&head, sizeof(head));
    str_append(&body, inner, n);
    mac = mac_of(s, bond, str_cstr(&body), body.len);
    str_init(&whole, sizeof(mac) + body.len);
    str_append(&whole, (const char *)&mac, sizeof(mac));
    str_append(&whole, str_cstr(&body), body.len);
    ok = str_ok(&body) && str_ok(&whole);
    if (ok)
        base64url_put(out, str_cstr(&whole), whole.len);
    str_deinit(&body);
    str_deinit(&whole);
    return ok;
}

static enum status open_whole(struct hub_seal *s, const struct hub_bond *bond,
                              const struct str *whole, unsigned char nonce[HUB_NONCE_BYTES],
                              struct str *inner, struct error *err)
{
    const char *body = str_cstr(whole) + sizeof(struct sha256);
    size_t n = whole->len - sizeof(struct sha256);
    struct sha256 mac = mac_of(s, bond, body, n);
    struct head head;
    uint64_t expires_ms = 0;

    if (!bytes_equal_slowly(&mac, str_cstr(whole), sizeof(mac)))
        return error_set(err, STATUS_REJECTED,
                         "requestState is not one that this server gave for this request");
    memcpy(&head, body, sizeof(head));
    for (int i = 0; i < 8; i++)
        expires_ms = expires_ms << 8 | head.expires_ms[i];
    if ((int64_t)expires_ms < seams_wall_ms(s->seams))
        return error_set(err, STATUS_TIMEOUT, "requestState has expired: the request starts again");
    memcpy(nonce, head.nonce, HUB_NONCE_BYTES);
    str_append(inner, body + sizeof(head), n - sizeof(head));
    return STATUS_OK;
}

enum status hub_seal_open(struct hub_seal *s, const struct hub_bond *bond, const char *text,
                          size_t n, unsigned char nonce[HUB_NONCE_BYTES], struct str *inner,
                          struct error *err)
{
    struct str whole;
    enum status st;

    str_init(&whole, n + 1);
    if (base64url_decode(text, n, &whole) &&
        whole.len >= sizeof(struct sha256) + sizeof(struct head))
        st = open_whole(s, bond, &whole, nonce, inner, err);
    else
        st = error_set(err, STATUS_REJECTED, "requestState is not one that this server gave");
    str_deinit(&whole);
    return st;
}
