/* gguf.h - a GGUF model: metadata and tensors of one file or of all parts of a split one, mapped.
 *
 * Versions 2 and 3, little endian. Files are untrusted: before any loop or allocation, a count is
 * compared with the bytes that are left; sums and products are checked; keys and names are unique;
 * tensors neither overlap nor leave a gap larger than the alignment, and fill the file. An array of
 * arrays is refused. A value is read only as the type that it has.
 *
 * Names and shapes are those of the file here (first dimension: the contiguous one); gguf_tensors.h
 * gives them as a tensor_file. Read-only, from any thread; everything lives until the last
 * gguf_unref(). A file may be cut by another program meanwhile: mapped_file.h.
 * Format: the GGUF specification of ggml-org/ggml.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_GGUF_H
#define TROUPE_MODELS_FORMATS_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/dtype.h"
#include "runtime/base/mapped_file.h"
#include "runtime/base/status.h"

#define GGUF_MAX_DIMS      4
#define GGUF_MAX_KEYS      65536
#define GGUF_MAX_PARTS     1000
#define GGUF_MAX_ALIGNMENT 65536
#define GGUF_ALIGNMENT     32 /* unless general.alignment says otherwise */

/* The numbers of the file. */
enum gguf_kind {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_KIND_N
};
const char *gguf_kind_name(enum gguf_kind kind); /* "uint8", "string", ... */

/* A tensor type of the file (gguf_types.def). */
struct gguf_type {
    uint32_t number;
    const char *name; /* "Q4_K" */
    int32_t block, block_bytes;
    enum dtype dtype; /* DTYPE_N: its values are not read */
};
const struct gguf_type *gguf_type_at(uint32_t number);  /* NULL: unknown */
const struct gguf_type *gguf_type_of(enum dtype dtype); /* never NULL below DTYPE_N */

struct gguf_value {
    const char *key;
    enum gguf_kind kind, element; /* element: of an array, else equal to kind */
    uint64_t count;               /* of an array, else 1 */
    const uint8_t *data;          /* the value or the elements; of a string with its length */
    size_t bytes;
};

struct gguf_tensor {
    const char *name;
    const struct gguf_type *type;
    int32_t n_dims;             /* 1 to 4 */
    int64_t dim[GGUF_MAX_DIMS]; /* 1 past n_dims */
    int64_t n_elements;
    const uint8_t *data;
    size_t bytes;
    const char *file;
};

struct gguf;

/* A file, or the first part of a split one (NAME-00001-of-000NN.gguf): the others are opened
 * beside it. One reference is the caller's. */
MUST_CHECK enum status gguf_open(const char *path, struct gguf **out, struct error *err);
/* `bytes` are lent; never split. */
MUST_CHECK enum status gguf_from_memory(const char *name, const void *bytes, size_t n,
                                        struct gguf **out, struct error *err);
struct gguf *gguf_ref(struct gguf *g);
void gguf_unref(struct gguf *g); /* NULL too */

const char *gguf_name(const struct gguf *g); /* of the first file */
int32_t gguf_n_parts(const struct gguf *g);
const struct mapped_file *gguf_part_mapping(const struct gguf *g, int32_t i); /* NULL: in memory */
int32_t gguf_version(const struct gguf *g);
size_t gguf_alignment(const struct gguf *g);
int32_t gguf_n_values(const struct gguf *g);
const struct gguf_value *gguf_value_at(const struct gguf *g, int32_t i); /* of the first file */
int32_t gguf_n_tensors(const struct gguf *g);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *g, int32_t i);
const struct gguf_tensor *gguf_tensor_find(const struct gguf *g, const char *name); /* or NULL */

/* ---- metadata: STATUS_NOT_FOUND without the key, STATUS_INVALID for another type or a value out
 * of range; the error names file and key. */
const struct gguf_value *gguf_find(const struct gguf *g, const char *key); /* or NULL */
MUST_CHECK enum status gguf_get_int(const struct gguf *g, const char *key, int64_t min, int64_t max,
                                    int64_t *out, struct error *err);
MUST_CHECK enum status gguf_get_real(const struct gguf *g, const char *key, double *out,
                                     struct error *err); /* a float32 or a float64, finite */
MUST_CHECK enum status gguf_get_bool(const struct gguf *g, const char *key, bool *out,
                                     struct error *err);
/* Lent, without a NUL at its end. */
MUST_CHECK enum status gguf_get_text(const struct gguf *g, const char *key, const char **text,
                                     size_t *n, struct error *err);
/* An array whose elements have this type. */
MUST_CHECK enum status gguf_get_array(const struct gguf *g, const char *key, enum gguf_kind element,
                                      const struct gguf_value **out, struct error *err);

/* Elements of an array (or the one value): the caller keeps i below count. Int: any integer type or
 * bool, of which a uint64 above INT64_MAX gives INT64_MAX. */
int64_t gguf_int_at(const struct gguf_value *v, uint64_t i);
double gguf_real_at(const struct gguf_value *v, uint64_t i);
/* The strings of an array (or the one string) in order: start with *at 0. False at the end. */
bool gguf_next_text(const struct gguf_value *v, size_t *at, const char **text, size_t *n);

#endif
