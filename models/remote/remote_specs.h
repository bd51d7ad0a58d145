/* remote_specs.h - the remote models of the configuration, by name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_REMOTE_REMOTE_SPECS_H
#define TROUPE_MODELS_REMOTE_REMOTE_SPECS_H

#include "models/remote/remote_spec.h"

struct remote_specs;
struct remote_specs *remote_specs_new(void);
void remote_specs_free(struct remote_specs *s);

/* Adds each entry of a section `models:`; a name that is there already stays as it is. A name has
 * letters, digits, "-", "_" and "."; "embedded" and "new" are taken. `folder`: of the file. Errors
 * have FILE:LINE:COLUMN. */
MUST_CHECK enum status remote_specs_add(struct remote_specs *s, const struct yaml *y,
                                        const struct yaml_node *section, const char *folder,
                                        struct error *err);
/* Lent; NULL: not there, or s is NULL. */
const struct remote_spec *remote_specs_get(const struct remote_specs *s, const char *name);
/* Every name, in the order of the files. */
void remote_specs_each(const struct remote_specs *s,
                       void (*each)(void *ctx, const char *name, const struct remote_spec *spec),
                       void *ctx);

/* Is the name a remote model: one of these, or URL#NAME? */
bool remote_is_name(const struct remote_specs *s, const char *name);

#endif
