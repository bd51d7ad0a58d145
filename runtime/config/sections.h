/* sections.h - sections of the configuration files: ./troupe.yaml and the user's file.
 *
 * An option of options.def is one value. A section is a mapping with a shape of its own; its owner
 * parses it and checks its keys, so that this folder need not know what is in it. A new section is
 * one line in sections.def.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_CONFIG_SECTIONS_H
#define TROUPE_RUNTIME_CONFIG_SECTIONS_H

#include "runtime/base/yaml.h"
#include "runtime/config/options.h"

enum section_id {
#define S(id, key, help) SECTION_##id,
#include "runtime/config/sections.def"
#undef S
    SECTION_N
};

/* Lent for the life of the options. */
struct section {
    const struct yaml *yaml;
    const struct yaml_node *node; /* a mapping */
    const char *folder;           /* of the file, absolute: relative paths in it start here */
};
/* The i-th file that has this section, the one that counts more first. false: no more. */
bool options_section(const struct options *o, enum section_id id, int32_t i, struct section *out);

#endif
