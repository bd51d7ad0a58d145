/* address_policy.c - the special ranges of IPv4 and IPv6, and IPv4 inside IPv6.
 *
 * Names as in IANA's "IPv4 Special-Purpose Address Registry" and "IPv6 Special-Purpose Address
 * Registry". An address in no range is public for IPv4; IPv6 is public in 2000::/3 alone (RFC
 * 4291). An address is worked on as its 16 bytes; IPv4 is the range ::ffff:0:0/96 of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/http/address_policy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/text.h"

enum kind { LOOPBACK, PRIVATE, REFUSED };

struct range {
    const char *text; /* "10.0.0.0/8" */
    enum kind kind;
    const char *name;
};

static const struct range v4_ranges[] = {
    {"0.0.0.0/8", REFUSED, "this network, RFC 791"},
    {"10.0.0.0/8", PRIVATE, "private use, RFC 1918"},
    {"100.64.0.0/10", PRIVATE, "shared address space, RFC 6598"},
    {"127.0.0.0/8", LOOPBACK, "loopback, RFC 1122"},
    {"169.254.0.0/16", REFUSED, "link-local, RFC 3927"},
    {"172.16.0.0/12", PRIVATE, "private use, RFC 1918"},
    {"192.0.0.0/24", REFUSED, "IETF protocol assignments, RFC 6890"},
    {"192.0.2.0/24", REFUSED, "documentation TEST-NET-1, RFC 5737"},
    {"192.88.99.0/24", REFUSED, "deprecated 6to4 relay anycast, RFC 7526"},
    {"192.168.0.0/16", PRIVATE, "private use, RFC 1918"},
    {"198.18.0.0/15", REFUSED, "benchmarking, RFC 2544"},
    {"198.51.100.0/24", REFUSED, "documentation TEST-NET-2, RFC 5737"},
    {"203.0.113.0/24", REFUSED, "documentation TEST-NET-3, RFC 5737"},
    {"224.0.0.0/4", REFUSED, "multicast, RFC 5771"},
    {"240.0.0.0/4", REFUSED, "reserved and limited broadcast, RFC 1112, RFC 8190"},
};

static const struct range v6_ranges[] = {
    {"::/128", REFUSED, "unspecified address, RFC 4291"},
    {"::1/128", LOOPBACK, "loopback address, RFC 4291"},
    {"::/96", REFUSED, "deprecated IPv4-compatible, RFC 4291"},
    {"64:ff9b:1::/48", REFUSED, "local IPv4-IPv6 translation, RFC 8215"},
    {"100::/64", REFUSED, "discard-only, RFC 6666"},
    {"100:0:0:1::/64", REFUSED, "dummy prefix, RFC 9780"},
    {"2001::/32", REFUSED, "TEREDO, RFC 4380"},
    {"2001::/23", REFUSED, "IETF protocol assignments, RFC 2928"},
    {"2001:db8::/32", REFUSED, "documentation, RFC 3849"},
    {"3fff::/20", REFUSED, "documentation, RFC 9637"},
    {"5f00::/16", REFUSED, "segment routing (SRv6) SIDs, RFC 9602"},
    {"fc00::/7", PRIVATE, "unique-local, RFC 4193"},
    {"fe80::/10", REFUSED, "link-local unicast, RFC 4291"},
    {"fec0::/10", REFUSED, "deprecated site-local, RFC 3879"},
    {"ff00::/8", REFUSED, "multicast, RFC 4291"},
};

/* Addresses at which clouds give out credentials of the machine. */
static const char *const metadata[] = {
    "169.254.169.254", /* most */
    "169.254.170.2",   /* Amazon ECS */
    "169.254.170.23",  /* Amazon EKS */
    "169.254.0.23",    /* Tencent */
    "169.254.42.42",   /* Scaleway */
    "100.100.100.200", /* Alibaba */
    "168.63.129.16",   /* Azure, in a public range */
    "192.0.0.192",     /* Oracle */
    "fd00:ec2::254",   /* Amazon EC2 */
    "fd00:ec2::23",    /* Amazon EKS */
    "fd20:ce::254",    /* Google */
    "fd00:42::42",     /* Scaleway */
};

/* IPv6 addresses that contain an IPv4 address, to which a tunnel or a translator may send: it is
 * checked in their place. The bytes from `at` on are the IPv4 address. */
static const struct {
    const char *text;
    int at;
    const char *name;
} carriers[] = {
    {"::ffff:0:0/96", 12, "IPv4-mapped, RFC 4291"},
    {"::ffff:0:0:0/96", 12, "IPv4-translated, RFC 2765"},
    {"64:ff9b::/96", 12, "IPv4-IPv6 translation, RFC 6052"},
    {"2002::/16", 2, "6to4, RFC 3056"},
};

#define V4_BITS 96 /* of the prefix that makes an IPv4 address 16 bytes long */

struct address {
    uint8_t byte[16];
    bool is_v4; /* as given: in four numbers */
};

static bool parse_address(const char *text, struct address *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    a->is_v4 = inet_pton(AF_INET, text, a->byte + 12) == 1;
    if (a->is_v4)
        memcpy(a->byte, mapped, sizeof(mapped));
    return a->is_v4 || inet_pton(AF_INET6, text, a->byte) == 1;
}

/* "10.0.0.0/8", or an address alone. The bits after the prefix are 0. */
static bool parse_range(const char *text, struct address *a, int *bits)
{
    char address[64];
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    int64_t given = 0;

    if (n >= sizeof(address))
        return false;
    memcpy(address, text, n);
    address[n] = '\0';
    if (!parse_address(address, a))
        return false;
    *bits = 128;
    if (slash) {
        if (!text_to_i64(slash + 1, &given) || given < 0 || given > (a->is_v4 ? 32 : 128))
            return false;
        *bits = (int)given + (a->is_v4 ? V4_BITS : 0);
    }
    for (int i = *bits; i < 128; i++)
        if (a->byte[i / 8] >> (7 - i % 8) & 1)
            return false;
    return true;
}

static bool is_in(const struct address *a, const struct address *range, int bits)
{
    int whole = bits / 8, rest = bits % 8;

    return memcmp(a->byte, range->byte, (size_t)whole) == 0 &&
           (rest == 0 || (a->byte[whole] ^ range->byte[whole]) >> (8 - rest) == 0);
}

static bool is_in_text(const struct address *a, const char *range)
{
    struct address r;
    int bits;

    return parse_range(range, &r, &bits) && r.is_v4 == a->is_v4 && is_in(a, &r, bits);
}

static bool is_metadata(const struct address *a)
{
    struct address m;

    for (size_t i = 0; i < ARRAY_LEN(metadata); i++)
        if (parse_address(metadata[i], &m) && memcmp(a->byte, m.byte, sizeof(m.byte)) == 0)
            return true;
    return false;
}

/* Is it in the list of the operator? */
static enum status is_listed(const struct address_policy *p, const struct address *a,
                             bool only_itself, bool *listed, struct error *err)
{
    struct address range;
    int bits;

    *listed = false;
    for (int32_t i = 0; i < p->n_allow; i++) {
        if (!parse_range(p->allow[i], &range, &bits))
            return error_set(err, STATUS_CONFIG,
                             "allowed address \"%.64s\" is neither an address nor a range like "
                             "10.0.0.0/8 (no bits after the prefix)",
                             p->allow[i]);
        if (range.is_v4 == a->is_v4 && is_in(a, &range, bits) && (bits == 128 || !only_itself))
            *listed = true;
    }
    return STATUS_OK;
}

static enum status check_range(const struct address_policy *p, const struct address *a,
                               const char *text, struct error *err)
{
    const struct range *ranges = a->is_v4 ? v4_ranges : v6_ranges;
    size_t n = a->is_v4 ? ARRAY_LEN(v4_ranges) : ARRAY_LEN(v6_ranges);

    for (size_t i = 0; i < n; i++) {
        const struct range *r = &ranges[i];

        if (!is_in_text(a, r->text))
            continue;
        if ((r->kind == LOOPBACK && p->allow_loopback) || (r->kind == PRIVATE && p->allow_private))
            return STATUS_OK;
        return error_set(err, STATUS_REJECTED, "address %s is not allowed: it is in %s (%s)", text,
                         r->text, r->name);
    }
    if (!a->is_v4 && a->byte[0] >> 5 != 1)
        return error_set(err, STATUS_REJECTED,
                         "address %s is not allowed: it is outside 2000::/3 (global unicast, RFC "
                         "4291)",
                         text);
    return STATUS_OK;
}

/* One address, without what it contains. */
static enum status check_one(const struct address_policy *p, const struct address *a,
                             const char *text, struct error *err)
{
    bool metadata_address = is_metadata(a), listed;
    enum status st = is_listed(p, a, metadata_address, &listed, err);

    if (st || listed)
        return st;
    if (metadata_address)
        return error_set(err, STATUS_REJECTED,
                         "address %s is not allowed: it gives out the credentials of a cloud "
                         "machine (metadata service)",
                         text);
    return check_range(p, a, text, err);
}

/* The IPv4 address inside; *outer_counts: the address itself is checked too (ISATAP is in any
 * prefix). */
static bool embedded_v4(const struct address *a, struct address *inner, const char **name,
                        bool *outer_counts)
{
    static const uint8_t isatap[3] = {0x00, 0x5e, 0xfe};
    char text[INET_ADDRSTRLEN];
    int at = 0;

    for (size_t i = 0; i < ARRAY_LEN(carriers) && !at; i++) {
        if (!is_in_text(a, carriers[i].text))
            continue;
        at = carriers[i].at;
        *name = carriers[i].name;
        *outer_counts = false;
    }
    if (!at && (a->byte[8] & 0xfd) == 0 && memcmp(a->byte + 9, isatap, sizeof(isatap)) == 0) {
        at = 12;
        *name = "ISATAP, RFC 5214";
        *outer_counts = true;
    }
    return at && inet_ntop(AF_INET, a->byte + at, text, sizeof(text)) && parse_address(text, inner);
}

enum status address_check(const struct address_policy *p, const char *address, struct error *err)
{
    static const struct address_policy strict = {.allow_http = false};
    struct address a, inner;
    char inner_text[INET_ADDRSTRLEN] = "";
    const char *name = "";
    bool outer_counts = true, listed;
    enum status st;

    p = p ? p : &strict;
    if (!parse_address(address, &a))
        return error_set(err, STATUS_REJECTED, "\"%.64s\" is not an IPv4 or IPv6 address", address);
    if (a.is_v4 || !embedded_v4(&a, &inner, &name, &outer_counts))
        return check_one(p, &a, address, err);
    (void)inet_ntop(AF_INET, inner.byte + 12, inner_text, sizeof(inner_text));
    st = is_listed(p, &a, is_metadata(&inner), &listed, err);
    if (st || listed)
        return st;
    st = check_one(p, &inner, inner_text, err);
    if (st == STATUS_REJECTED)
        error_note(err, "%s contains %s (%s)", address, inner_text, name);
    if (st || !outer_counts)
        return st;
    return check_one(p, &a, address, err);
}
