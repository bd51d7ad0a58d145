/* gguf_write.h - writes a GGUF model, version 3: keys first, then tensors, each converted while it
 * is written.
 *
 * The file replaces PATH when it is whole (atomic_file.h). Its bytes depend on the calls alone. One
 * thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_GGUF_WRITE_H
#define TROUPE_MODELS_FORMATS_GGUF_WRITE_H

#include "models/formats/gguf.h"
#include "models/formats/tensor_file.h"
#include "runtime/base/seams.h"

struct gguf_writer;
struct gguf_writer *gguf_writer_new(void);
void gguf_writer_free(struct gguf_writer *w);

/* Keys, in the order of the calls; the caller gives each once. */
void gguf_put_u32(struct gguf_writer *w, const char *key, uint32_t v);
void gguf_put_f32(struct gguf_writer *w, const char *key, float v);
void gguf_put_bool(struct gguf_writer *w, const char *key, bool v);
void gguf_put_text(struct gguf_writer *w, const char *key, const char *text, size_t n);
/* An array of n elements, which follow by gguf_put_text_element or gguf_put_i32_element. */
void gguf_put_array(struct gguf_writer *w, const char *key, enum gguf_kind element, uint64_t n);
void gguf_put_text_element(struct gguf_writer *w, const char *text, size_t n);
void gguf_put_i32_element(struct gguf_writer *w, int32_t v);
void gguf_put_value(struct gguf_writer *w,
                    const struct gguf_value *v); /* a copy of another file's */

/* The next tensor: `name` of GGUF, values of `from` (lent, 1 to 4 dimensions), rows of `dtype`,
 * which divide into its blocks and for which there is a writer. paired_heads: as in tensor_file.h,
 * for the rows to be written. */
void gguf_add_tensor(struct gguf_writer *w, const char *name, enum dtype dtype,
                     const struct file_tensor *from, int32_t paired_heads);
/* The values of the last tensor are written with this added to each. */
void gguf_add_to_values(struct gguf_writer *w, float offset);
/* STATUS_INVALID names the tensor that has a value which is not finite or too large for a block's
 * scale; PATH is then as it was. */
MUST_CHECK enum status gguf_writer_finish(struct gguf_writer *w, const char *path,
                                          const struct seams *seams, struct error *err);

#endif
