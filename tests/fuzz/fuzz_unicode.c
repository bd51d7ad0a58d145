/* fuzz_unicode.c - any bytes: cleaned text is valid, cleaning by character and as a whole agree,
 * NFC equals that of utf8proc. SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "runtime/base/unicode.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool right)
{
    if (!right)
        __builtin_trap();
}

static void check_nfc(const struct str *clean)
{
    struct str out = STR_INIT;
    utf8proc_uint8_t *want = NULL;
    utf8proc_ssize_t n =
        utf8proc_map((const utf8proc_uint8_t *)str_cstr(clean), (utf8proc_ssize_t)clean->len, &want,
                     UTF8PROC_STABLE | UTF8PROC_COMPOSE);

    must(utf8_nfc(str_cstr(clean), clean->len, &out, NULL) == STATUS_OK);
    must(n >= 0 && (size_t)n == out.len && memcmp(want, str_cstr(&out), out.len) == 0);
    free(want);
    str_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *text = n ? (const char *)bytes : "";
    struct str clean = STR_INIT, one = STR_INIT;

    utf8_clean(text, n, &clean);
    must(utf8_valid_prefix(str_cstr(&clean), clean.len) == clean.len);
    for (size_t i = 0; i < n;)
        utf8_put(&one, utf8_next(text, n, &i));
    must(one.len == clean.len && memcmp(str_cstr(&one), str_cstr(&clean), one.len) == 0);
    must(utf8_nfc(text, n, &one, NULL) == STATUS_OK || utf8_valid_prefix(text, n) < n);
    (void)utf8_width(text, n);
    check_nfc(&clean);
    str_deinit(&clean);
    str_deinit(&one);
    return 0;
}
