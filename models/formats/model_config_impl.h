/* model_config_impl.h - reading fields of a config.json: for the files that parse one.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_MODEL_CONFIG_IMPL_H
#define TROUPE_MODELS_FORMATS_MODEL_CONFIG_IMPL_H

#include "models/formats/model_config.h"
#include "runtime/base/json.h"

#define MAX_CONFIG_BYTES ((size_t)1 << 20)

#define MAX_HIDDEN       65536
#define MAX_INTERMEDIATE 1048576
#define MAX_LAYERS       1024
#define MAX_HEADS        1024
#define MAX_HEAD_DIM     1024
#define MAX_VOCAB        4194304
#define MAX_POSITIONS    16777216

/* A reader keeps the first error, so fields can be read one after the other. */
struct config_reader {
    const char *name; /* of the file */
    const struct json *root;
    struct error *err;
    enum status st;
};

void config_fault(struct config_reader *r, enum status status, const char *key,
                  const char *problem);

static inline bool config_null(const struct json *v)
{
    return jv_kind(v) == JV_NULL;
}

/* An integer in [min, max]. `otherwise` below min: the field is required. */
int32_t config_int(struct config_reader *r, const char *key, int32_t min, int32_t max,
                   int32_t otherwise);
/* v above `above`, at most `max`; null: `otherwise`. */
double config_number(struct config_reader *r, const struct json *v, const char *key, double above,
                     double max, double otherwise);
bool config_bool(struct config_reader *r, const char *key, bool otherwise);
void config_text(struct config_reader *r, const struct json *v, const char *key, char *out,
                 size_t size);

/* rope_theta, rope_parameters, rope_scaling and what belongs to them; the sizes have been read. */
void config_rope(struct config_reader *r, struct model_config *c);
/* Windows, scale and soft caps; the sizes have been read. */
void config_attention(struct config_reader *r, struct model_config *c);

#endif
