/* test_trace_context.c - traceparent is read strictly, and the ids of runs and steps do not change.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/trace_context.h"
#include "tests/support/check.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN  "b7ad6b7169203331"
#define UUID  "01890a5d-ac96-774b-bcce-b302099a8057"

static void valid_texts_are_read_and_written_again(void **state)
{
    struct trace_context c;
    char text[TRACEPARENT_BYTES + 1];

    (void)state;
    assert_true(trace_context_parse("00-" TRACE "-" SPAN "-01", &c));
    assert_true(c.sampled && trace_context_is_set(&c));
    assert_int_equal(c.trace[0], 0x0a);
    assert_int_equal(c.trace[15], 0x9c);
    assert_int_equal(c.span[0], 0xb7);
    trace_context_write(&c, text);
    assert_string_equal(text, "00-" TRACE "-" SPAN "-01");
    assert_true(trace_context_parse("00-" TRACE "-" SPAN "-00", &c));
    assert_false(c.sampled);
    trace_context_write(&c, text);
    assert_string_equal(text, "00-" TRACE "-" SPAN "-00");
    assert_true(trace_context_parse("00-" TRACE "-" SPAN "-fe", &c)); /* unknown flags */
    assert_false(c.sampled);
    /* A later version, with more after it. */
    assert_true(trace_context_parse("cc-" TRACE "-" SPAN "-01", &c));
    assert_true(trace_context_parse("cc-" TRACE "-" SPAN "-01-what", &c));
}

static void other_texts_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "00",
        "00-" TRACE "-" SPAN,
        "00-" TRACE "-" SPAN "-1",
        "00-" TRACE "-" SPAN "-01 ",
        "00-" TRACE "-" SPAN "-01-more",
        "00-" TRACE "-" SPAN "-0g",
        "cc-" TRACE "-" SPAN "-01.what",
        "ff-" TRACE "-" SPAN "-01",
        "0g-" TRACE "-" SPAN "-01",
        "00_" TRACE "-" SPAN "-01",
        "00-" TRACE "_" SPAN "-01",
        "00-" TRACE "-" SPAN "_01",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
        "00-0af7651916cd43dd8448eb211c80319-" SPAN "-011",
    };
    struct trace_context c = {.sampled = true};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (trace_context_parse(bad[i], &c))
            fail_msg("\"%s\" was taken", bad[i]);
    assert_false(trace_context_parse(NULL, &c));
    assert_true(c.sampled && !trace_context_is_set(&c)); /* unchanged */
}

static void the_ids_of_a_run_follow_from_its_uuid(void **state)
{
    struct trace_context c;
    char text[TRACEPARENT_BYTES + 1], hex[17];
    uint8_t span[8], other[8];

    (void)state;
    assert_true(trace_context_of_run(UUID, &c));
    assert_true(c.sampled);
    trace_context_write(&c, text);
    assert_string_equal(text, "00-01890a5dac96774bbcceb302099a8057-0000000000000000-01");
    assert_false(trace_context_of_run("not a uuid", &c));
    assert_false(trace_context_of_run("00000000-0000-0000-0000-000000000000", &c));
    /* printf '%s\0%s\0%s' UUID a/turn:0/model:0 0 | sha256sum */
    trace_span_of_step(UUID, "a/turn:0/model:0", 0, span);
    trace_hex(span, sizeof(span), hex);
    assert_string_equal(hex, "9e7bf30854fa82fb");
    trace_span_of_step(UUID, "a/turn:0/model:0", 1, other);
    assert_memory_not_equal(span, other, sizeof(span));
    trace_span_of_step(UUID, "a/turn:0/model:1", 0, other);
    assert_memory_not_equal(span, other, sizeof(span));
    trace_span_of_step(UUID, "a/turn:0/model:0", 0, other);
    assert_memory_equal(span, other, sizeof(span));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_texts_are_read_and_written_again),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(the_ids_of_a_run_follow_from_its_uuid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
