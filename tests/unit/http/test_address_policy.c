/* test_address_policy.c - each special range at its edges, IPv4 inside IPv6, and what an operator
 * allows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/memory.h"
#include "runtime/http/address_policy.h"

static const struct {
    const char *address;
    const char *says; /* NULL: allowed by default */
} by_default[] = {
    {"1.1.1.1", NULL},
    {"8.8.8.8", NULL},
    {"223.255.255.255", NULL},
    {"0.0.0.0", "this network"},
    {"0.255.255.255", "0.0.0.0/8"},
    {"1.0.0.0", NULL},
    {"9.255.255.255", NULL},
    {"10.0.0.0", "private use"},
    {"10.255.255.255", "10.0.0.0/8"},
    {"11.0.0.0", NULL},
    {"100.63.255.255", NULL},
    {"100.64.0.0", "shared address space"},
    {"100.127.255.255", "100.64.0.0/10"},
    {"100.128.0.0", NULL},
    {"126.255.255.255", NULL},
    {"127.0.0.0", "loopback"},
    {"127.0.0.1", "loopback"},
    {"127.255.255.255", "127.0.0.0/8"},
    {"128.0.0.0", NULL},
    {"169.253.255.255", NULL},
    {"169.254.0.0", "link-local"},
    {"169.254.169.254", "metadata"},
    {"169.254.170.2", "metadata"},
    {"169.254.255.255", "169.254.0.0/16"},
    {"169.255.0.0", NULL},
    {"172.15.255.255", NULL},
    {"172.16.0.0", "private use"},
    {"172.31.255.255", "172.16.0.0/12"},
    {"172.32.0.0", NULL},
    {"100.100.100.200", "metadata"},
    {"168.63.129.16", "metadata"},
    {"192.0.0.192", "metadata"},
    {"192.0.0.1", "IETF protocol"},
    {"192.0.1.0", NULL},
    {"192.0.2.1", "TEST-NET-1"},
    {"192.0.3.0", NULL},
    {"192.88.98.255", NULL},
    {"192.88.99.1", "6to4"},
    {"192.167.255.255", NULL},
    {"192.168.0.0", "private use"},
    {"192.168.255.255", "192.168.0.0/16"},
    {"192.169.0.0", NULL},
    {"198.17.255.255", NULL},
    {"198.18.0.0", "benchmarking"},
    {"198.19.255.255", "benchmarking"},
    {"198.20.0.0", NULL},
    {"198.51.100.7", "TEST-NET-2"},
    {"203.0.113.7", "TEST-NET-3"},
    {"224.0.0.1", "multicast"},
    {"239.255.255.255", "multicast"},
    {"240.0.0.1", "reserved"},
    {"255.255.255.255", "limited broadcast"},
    /* more than one reading */
    {"127.1", "not an IPv4"},
    {"2130706433", "not an IPv4"},
    {"0x7f000001", "not an IPv4"},
    {"0x7f.0.0.1", "not an IPv4"},
    {"0177.0.0.1", "not an IPv4"},
    {"017700000001", "not an IPv4"},
    {"127.0.0.1.", "not an IPv4"},
    {"127.0.0.01", "not an IPv4"},
    {" 8.8.8.8", "not an IPv4"},
    {"8.8.8.8 ", "not an IPv4"},
    {"", "not an IPv4"},
    {"localhost", "not an IPv4"},
    {"[::1]", "not an IPv4"},
    {"fe80::1%eth0", "not an IPv4"},
    {"::ffff:127.0.0.1%lo", "not an IPv4"},
    /* IPv6 */
    {"2606:4700:4700::1111", NULL},
    {"2a00:1450:4001:80b::200e", NULL},
    {"2620:4f:8000::1", NULL},
    {"::", "unspecified"},
    {"::1", "loopback"},
    {"0:0:0:0:0:0:0:1", "loopback"},
    {"::2", "IPv4-compatible"},
    {"::127.0.0.1", "IPv4-compatible"},
    {"::8.8.8.8", "IPv4-compatible"},
    {"64:ff9b:1::1", "RFC 8215"},
    {"100::1", "discard"},
    {"100:0:0:1::1", "dummy"},
    {"101::1", "2000::/3"},
    {"1fff::1", "2000::/3"},
    {"2000::1", NULL},
    {"2001::1", "TEREDO"},
    {"2001:0:4136:e378:8000:63bf:3fff:fdd2", "TEREDO"},
    {"2001:2::1", "IETF protocol"},
    {"2001:20::1", "IETF protocol"},
    {"2001:1ff:ffff::1", "IETF protocol"},
    {"2001:200::1", NULL},
    {"2001:db8::1", "documentation"},
    {"2001:db9::1", NULL},
    {"3ffe::1", NULL},
    {"3fff::1", "documentation"},
    {"3fff:fff::1", "documentation"},
    {"3fff:1000::1", NULL},
    {"4000::1", "2000::/3"},
    {"5f00::1", "SRv6"},
    {"fbff::1", "2000::/3"},
    {"fc00::1", "unique-local"},
    {"fd12:3456::1", "unique-local"},
    {"fd00:ec2::254", "metadata"},
    {"fd20:ce::254", "metadata"},
    {"fe00::1", "2000::/3"},
    {"fe80::1", "link-local"},
    {"febf::1", "link-local"},
    {"fec0::1", "site-local"},
    {"ff02::1", "multicast"},
    {"ffff::1", "multicast"},
    /* IPv4 inside */
    {"::ffff:8.8.8.8", NULL},
    {"::ffff:127.0.0.1", "IPv4-mapped"},
    {"::ffff:7f00:1", "127.0.0.0/8"},
    {"::ffff:10.0.0.1", "10.0.0.0/8"},
    {"::ffff:169.254.169.254", "metadata"},
    {"::ffff:a9fe:a9fe", "metadata"},
    {"::ffff:0.0.0.0", "this network"},
    {"::ffff:0:127.0.0.1", "IPv4-translated"},
    {"::ffff:0:8.8.8.8", NULL},
    {"64:ff9b::8.8.8.8", NULL},
    {"64:ff9b::127.0.0.1", "127.0.0.1 (IPv4-IPv6 translation"},
    {"64:ff9b::a00:1", "10.0.0.0/8"},
    {"64:ff9b::a9fe:a9fe", "metadata"},
    {"2002:808:808::1", NULL},
    {"2002:7f00:1::1", "6to4"},
    {"2002:c0a8:101::1", "192.168.0.0/16"},
    {"2002:a9fe:a9fe::", "metadata"},
    {"2a00:1450::5efe:8.8.8.8", NULL},
    {"2a00:1450::5efe:10.0.0.1", "ISATAP"},
    {"2a00:1450::200:5efe:127.0.0.1", "ISATAP"},
    {"fe80::5efe:8.8.8.8", "link-local"},
};

static void test_the_default(void **state)
{
    (void)state;
    assert_true(ARRAY_LEN(by_default) >= 80);
    for (size_t i = 0; i < ARRAY_LEN(by_default); i++) {
        struct error err = ERROR_INIT;
        enum status st = address_check(NULL, by_default[i].address, &err);

        if (st != (by_default[i].says ? STATUS_REJECTED : STATUS_OK))
            fail_msg("%s: %s %s", by_default[i].address, status_name(st), err.message);
        if (by_default[i].says && !strstr(err.message, by_default[i].says))
            fail_msg("%s: %s", by_default[i].address, err.message);
    }
}

enum { LOOPBACK = 1, PRIVATE = 2 };

static const struct {
    int flags;
    const char *allow, *address;
    bool is_allowed;
} by_policy[] = {
    {LOOPBACK, NULL, "127.0.0.1", true},
    {LOOPBACK, NULL, "127.8.8.8", true},
    {LOOPBACK, NULL, "::1", true},
    {LOOPBACK, NULL, "::ffff:127.0.0.1", true},
    {LOOPBACK, NULL, "0.0.0.0", false},
    {LOOPBACK, NULL, "::", false},
    {LOOPBACK, NULL, "10.0.0.1", false},
    {LOOPBACK, NULL, "169.254.169.254", false},
    {PRIVATE, NULL, "127.0.0.1", false},
    {PRIVATE, NULL, "10.0.0.1", true},
    {PRIVATE, NULL, "172.20.0.1", true},
    {PRIVATE, NULL, "192.168.1.1", true},
    {PRIVATE, NULL, "100.64.0.1", true},
    {PRIVATE, NULL, "fd12::1", true},
    {PRIVATE, NULL, "64:ff9b::10.0.0.1", true},
    {PRIVATE, NULL, "100.100.100.200", false},
    {PRIVATE, NULL, "fd00:ec2::254", false},
    {PRIVATE, NULL, "169.254.169.254", false},
    {PRIVATE, NULL, "169.254.1.1", false},
    {PRIVATE, NULL, "fe80::1", false},
    {PRIVATE, NULL, "224.0.0.1", false},
    {PRIVATE, NULL, "240.0.0.1", false},
    {0, "10.1.2.3", "10.1.2.3", true},
    {0, "10.1.2.3", "10.1.2.4", false},
    {0, "10.1.2.3/32", "10.1.2.3", true},
    {0, "10.1.0.0/16", "10.1.255.255", true},
    {0, "10.1.0.0/16", "10.2.0.0", false},
    {0, "10.128.0.0/9", "10.127.255.255", false},
    {0, "10.128.0.0/9", "10.128.0.0", true},
    {0, "0.0.0.0/0", "127.0.0.1", true},
    {0, "0.0.0.0/0", "::1", false},
    {0, "0.0.0.0/0", "::ffff:127.0.0.1", true},
    {0, "0.0.0.0/0", "169.254.169.254", false},
    {0, "0.0.0.0/0", "::ffff:169.254.169.254", false},
    {0, "169.254.0.0/16", "169.254.169.254", false},
    {0, "169.254.0.0/16", "169.254.1.1", true},
    {0, "169.254.169.254", "169.254.169.254", true},
    {0, "169.254.169.254", "::ffff:169.254.169.254", true},
    {0, "::/0", "fd00:ec2::254", false},
    {0, "::/0", "64:ff9b::169.254.169.254", false},
    {0, "::/0", "fe80::1", true},
    {0, "::/0", "10.0.0.1", false},
    {0, "fd00::/8", "fd00::1", true},
    {0, "fd00::/8", "fc00::1", false},
    {0, "fd00:ec2::254", "fd00:ec2::254", true},
};

static void test_policies(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(by_policy); i++) {
        const char *allow[] = {by_policy[i].allow};
        struct address_policy p = {.allow_loopback = by_policy[i].flags & LOOPBACK,
                                   .allow_private = by_policy[i].flags & PRIVATE,
                                   .allow = allow,
                                   .n_allow = by_policy[i].allow ? 1 : 0};
        enum status st = address_check(&p, by_policy[i].address, NULL);

        if (st != (by_policy[i].is_allowed ? STATUS_OK : STATUS_REJECTED))
            fail_msg("row %zu, %s: %s", i, by_policy[i].address, status_name(st));
    }
}

/* A wrong entry is an error, also where an earlier one would have allowed the address. */
static void test_entries_that_are_wrong(void **state)
{
    static const char *const entries[] = {"10.0.0.0/33", "10.0.0.1/8", "fd00::/129", "10.0.0.0/",
                                          "10.0.0.0/-1", "10.0.0/8",   "localhost",  "",
                                          "::1/0",       "10.0.0.0/8 "};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        const char *allow[] = {"8.8.8.8", entries[i]};
        struct address_policy p = {.allow = allow, .n_allow = 2};
        struct error err = ERROR_INIT;

        assert_int_equal(address_check(&p, "8.8.8.8", &err), STATUS_CONFIG);
        assert_non_null(strstr(err.message, entries[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_default),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_entries_that_are_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
