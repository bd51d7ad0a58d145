/* work_count.h - how many basic blocks of instrumented code have run: work without a clock.
 *
 * Sources that are compiled with -fsanitize-coverage=trace-pc count; libraries do not.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_WORK_COUNT_H
#define TROUPE_TESTS_WORK_COUNT_H

#include <stdint.h>

/* Blocks run since the last call. */
uint64_t work_count_take(void);

#endif
