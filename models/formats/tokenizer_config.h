/* tokenizer_config.h - special tokens and the chat template, from tokenizer_config.json and
 * chat_template.jinja.
 *
 * Only texts: models/chat interprets the template. Both files are optional.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_TOKENIZER_CONFIG_H
#define TROUPE_MODELS_FORMATS_TOKENIZER_CONFIG_H

#include <stddef.h>

#include "runtime/base/status.h"

#define CHAT_TEMPLATE_MAX_BYTES ((size_t)1 << 20)

/* All owned; NULL: not in the file. */
struct tokenizer_config {
    char *bos_token, *eos_token, *pad_token;
    char *chat_template; /* chat_template.jinja wins over tokenizer_config.json */
    char *template_name; /* its file, for messages */
};

MUST_CHECK enum status tokenizer_config_parse(const char *text, size_t n, const char *name,
                                              struct tokenizer_config *out, struct error *err);
MUST_CHECK enum status tokenizer_config_load_dir(const char *dir, struct tokenizer_config *out,
                                                 struct error *err);
void tokenizer_config_deinit(struct tokenizer_config *c); /* also of a zeroed one */

#endif
