/* model_set.h - models by name: embedded, a folder, hf:ORG/NAME, script:FILE, URL#NAME or a name of
 * the section `models:`. Each opened once.
 *
 * Two names of one folder are one model. One thread at a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_MODEL_SET_H
#define TROUPE_RUNTIME_API_MODEL_SET_H

#include "models/engine/engine.h"
#include "models/remote/remote_specs.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"

#define MODEL_FOLDER_MAX 1024

/* How models are opened; a zero is the default. Texts are lent for the life of the set. */
struct model_options {
    const char *device;      /* "cpu" */
    const char *cpu_isa;     /* "best", "plain", "avx2", "avx512" */
    const char *weight_type; /* "stored", "f32", "bf16" */
    const char *kv_type;     /* "auto", "f32", "bf16", "q8" */
    int32_t n_threads, context;
    int64_t kv_bytes;
    const struct remote_specs *remote; /* the section `models:`; NULL: none */
};

struct model_set;
struct remote_servers; /* models/remote/remote_model.h */
struct model_set *model_set_new(const struct model_options *o, struct log *log); /* log: lent */
void model_set_log(struct model_set *s, struct log *log);                        /* from now on */
/* Remote models need a loop: asked for at the first one. `ctx` outlives the set. */
void model_set_servers(struct model_set *s,
                       enum status (*open)(void *ctx, struct remote_servers **out,
                                           struct error *err),
                       void *ctx);
void model_set_free(struct model_set *s); /* closes all; after their sessions */
/* Opens `name` unless it is open. Lent. */
MUST_CHECK enum status model_set_open(struct model_set *s, const char *name, struct model **out,
                                      struct error *err);
/* The engine behind a model of the set, or NULL for a script. */
struct engine *model_set_engine(const struct model_set *s, const struct model *m);

/* Each engine of the set with its model. */
void model_set_each_engine(const struct model_set *s,
                           void (*fn)(void *ctx, const struct model *m, struct engine *e),
                           void *ctx);

/* The options of an engine for `name`; `folder` is set to the folder of its files. */
MUST_CHECK enum status model_engine_options(const struct model_options *o, const char *name,
                                            char folder[MODEL_FOLDER_MAX],
                                            struct engine_options *out, struct error *err);
/* STATUS_CONFIG: the name is one word, and not a model: neither a folder nor in `models:`. Else
 * nothing is looked at. `base`: as below. */
MUST_CHECK enum status model_name_check(const struct remote_specs *remote, const char *name,
                                        const char *base, struct error *err);
/* The same for the option --model: STATUS_NOT_FOUND. */
MUST_CHECK enum status model_option_check(const struct remote_specs *remote, const char *name,
                                          struct error *err);
/* The name with its path made absolute: `name` is relative to the folder `base` (NULL: to the
 * working folder). Names that hold no path stay as they are; those of `models:` are such names. */
void model_name_absolute(const struct remote_specs *remote, const char *name, const char *base,
                         struct str *out);

#endif
