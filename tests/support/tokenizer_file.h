/* tokenizer_file.h - a tokenizer from a tokenizer.json, or from a JSON file with the tables of a
 * GGUF file.
 *
 * The second has "tables": {"model", "pre", "tokens", "scores", "types", "merges", "bos", "eos",
 * "unk", "add_bos", "add_eos", "add_space_prefix"}; what is missing is as in struct
 * tokenizer_tables.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_TOKENIZER_FILE_H
#define TROUPE_TESTS_TOKENIZER_FILE_H

#include "models/formats/tokenizer.h"
#include "runtime/base/json.h"

MUST_CHECK enum status tokenizer_file_read(const char *path, struct tokenizer **out,
                                           struct error *err);
/* From the tables alone. */
MUST_CHECK enum status tokenizer_file_tables(const struct json *tables, const char *name,
                                             struct tokenizer **out, struct error *err);

#endif
