/* ledger_play.h - the ledger by its short name, for its tests.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_UNIT_ENVIRONMENTS_LEDGER_PLAY_H
#define TROUPE_TESTS_UNIT_ENVIRONMENTS_LEDGER_PLAY_H

#include "tests/unit/environments/env_play.h"

static inline const struct env_ops *ledger(void)
{
    return env_find("ledger");
}

#endif
