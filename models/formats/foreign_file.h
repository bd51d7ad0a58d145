/* foreign_file.h - what is often found where weights should be: a Git LFS pointer, a pickle, a web
 * page, or weights in another format.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_FOREIGN_FILE_H
#define TROUPE_MODELS_FORMATS_FOREIGN_FILE_H

#include <stddef.h>

#include "runtime/base/status.h"

/* STATUS_INVALID when the bytes begin as a known other kind of file; the error says which and what
 * to do. `want` is what should be there: "GGUF" or "safetensors". */
MUST_CHECK enum status foreign_file_check(const char *name, const void *bytes, size_t n,
                                          const char *want, struct error *err);
/* For a folder without weights that this program reads: STATUS_UNSUPPORTED when it has those of
 * another format. */
MUST_CHECK enum status foreign_folder_check(const char *dir, struct error *err);

#endif
