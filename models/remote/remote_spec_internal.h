/* remote_spec_internal.h - shared by remote_spec.c and remote_spec_yaml.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_REMOTE_REMOTE_SPEC_INTERNAL_H
#define TROUPE_MODELS_REMOTE_REMOTE_SPEC_INTERNAL_H

#include "models/remote/remote_spec.h"

/* Sets url, and allow_local where the host says so. allow_local is set before, if it is given.
 * STATUS_USAGE. */
MUST_CHECK enum status remote_spec_set_url(struct remote_spec *s, const char *text,
                                           struct error *err);

#endif
