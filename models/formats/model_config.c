/* model_config.c - the checks of a config, and the files of a folder.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/model_config.h"

#include <stdlib.h>
#include <string.h>

#include "models/formats/model_config_impl.h"
#include "models/formats/model_family.h"
#include "models/formats/rope_scaling.h"
#include "runtime/base/seams.h"

const char *rope_kind_name(enum rope_kind kind)
{
    static const char *const names[] = {
        [ROPE_DEFAULT] = "default", [ROPE_LINEAR] = "linear", [ROPE_DYNAMIC] = "dynamic",
        [ROPE_LLAMA3] = "llama3",   [ROPE_YARN] = "yarn",     [ROPE_LONGROPE] = "longrope"};

    return names[kind];
}

static enum status check_range(const char *name, const char *key, int64_t v, int64_t min,
                               int64_t max, struct error *err)
{
    if (v >= min && v <= max)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID, "%s: \"%s\": %lld is not between %lld and %lld", name,
                     key, (long long)v, (long long)min, (long long)max);
}

static enum status check_ids(const struct model_config *c, const char *name, struct error *err)
{
    enum status st = check_range(name, "bos_token_id", c->bos_id, -1, c->vocab_size - 1, err);

    if (st == STATUS_OK)
        st = check_range(name, "pad_token_id", c->pad_id, -1, c->vocab_size - 1, err);
    if (st == STATUS_OK)
        st = check_range(name, "eos_token_id", c->n_eos, 0, MODEL_CONFIG_MAX_EOS, err);
    for (int32_t i = 0; i < c->n_eos && st == STATUS_OK; i++)
        st = check_range(name, "eos_token_id", c->eos_id[i], 0, c->vocab_size - 1, err);
    return st;
}

static enum status check_window(const struct model_config *c, const char *name, struct error *err)
{
    enum status st = check_range(name, "sliding_window", c->window, 0, INT32_MAX, err);

    if (st == STATUS_OK)
        st = check_range(name, "sliding_window_pattern", c->window_pattern, 0, MAX_LAYERS, err);
    if (st)
        return st;
    if (c->window_rope_theta != 0 && !(c->window_rope_theta > 1 && c->window_rope_theta <= 1e12))
        return error_set(err, STATUS_INVALID, "%s: the rope_theta of windows, %g, must be above 1",
                         name, c->window_rope_theta);
    if (!(c->attention_scale >= 0 && c->attention_scale <= 1e6f))
        return error_set(err, STATUS_INVALID,
                         "%s: the scale of the scores is not between 0 and 1e6", name);
    return STATUS_OK;
}

enum status model_config_check(const struct model_config *c, const char *name, struct error *err)
{
    const struct {
        const char *key;
        int64_t value, min, max;
    } ranges[] = {
        {"hidden_size", c->hidden_size, 1, MAX_HIDDEN},
        {"intermediate_size", c->intermediate_size, 1, MAX_INTERMEDIATE},
        {"num_hidden_layers", c->n_layers, 1, MAX_LAYERS},
        {"num_attention_heads", c->n_heads, 1, MAX_HEADS},
        {"num_key_value_heads", c->n_kv_heads, 1, c->n_heads},
        {"head_dim", c->head_dim, 2, MAX_HEAD_DIM},
        {"vocab_size", c->vocab_size, 1, MAX_VOCAB},
        {"max_position_embeddings", c->max_position_embeddings, 1, MAX_POSITIONS},
        {"dtype", c->dtype, 0, DTYPE_N - 1},
    };

    enum status st;

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        st = check_range(name, ranges[i].key, ranges[i].value, ranges[i].min, ranges[i].max, err);
        if (st)
            return st;
    }
    if (c->n_heads % c->n_kv_heads != 0)
        return error_set(err, STATUS_INVALID,
                         "%s: \"num_attention_heads\": %d is not a multiple of "
                         "num_key_value_heads, %d",
                         name, c->n_heads, c->n_kv_heads);
    if (c->head_dim % 2 != 0)
        return error_set(err, STATUS_INVALID, "%s: \"head_dim\": %d is odd", name, c->head_dim);
    if (!(c->rms_norm_eps > 0 && c->rms_norm_eps <= 1))
        return error_set(err, STATUS_INVALID, "%s: \"rms_norm_eps\": %g must be above 0", name,
                         (double)c->rms_norm_eps);
    if (!(c->rope_theta > 1 && c->rope_theta <= 1e12))
        return error_set(err, STATUS_INVALID, "%s: \"rope_theta\": %g must be above 1", name,
                         c->rope_theta);
    if (c->rotary_dim < 0 || c->rotary_dim > c->head_dim || c->rotary_dim % 2 != 0)
        return error_set(err, STATUS_INVALID, "%s: %d rotating elements are not an even part of %d",
                         name, c->rotary_dim, c->head_dim);
    if (!(c->attention_softcap >= 0 && c->attention_softcap <= 1e6f && c->logit_softcap >= 0 &&
          c->logit_softcap <= 1e6f))
        return error_set(err, STATUS_INVALID, "%s: a soft cap is not between 0 and 1e6", name);
    st = check_window(c, name, err);
    if (st == STATUS_OK)
        st = rope_scaling_check(c, name, err);
    if (st)
        return st;
    return check_ids(c, name, err);
}

static enum status load_file(const char *dir, const char *base, struct str *path, char **text,
                             size_t *n, struct error *err)
{
    str_clear(path);
    str_printf(path, "%s/%s", dir, base);
    return file_read(str_cstr(path), MAX_CONFIG_BYTES, text, n, err);
}

enum status model_config_load_dir(const char *dir, struct model_config *out, struct error *err)
{
    struct model_config c;
    struct str path = STR_INIT;
    char *text = NULL;
    size_t n;
    enum status st = load_file(dir, "config.json", &path, &text, &n, err);

    if (st)
        goto done;
    st = model_config_parse(text, n, str_cstr(&path), &c, err);
    if (st)
        goto done;
    str_clear(&path);
    str_printf(&path, "%s/generation_config.json", dir);
    if (file_exists(str_cstr(&path))) {
        free(text);
        text = NULL;
        st = load_file(dir, "generation_config.json", &path, &text, &n, err);
        if (st == STATUS_OK)
            st = model_config_parse_generation(text, n, str_cstr(&path), &c, err);
    }
    if (st == STATUS_OK)
        *out = c;
done:
    free(text);
    str_deinit(&path);
    return st;
}

bool model_config_has_window(const struct model_config *c, int32_t layer)
{
    return c->window > 0 && (c->window_pattern == 0 || (layer + 1) % c->window_pattern != 0);
}

int64_t model_config_n_parameters(const struct model_config *c)
{
    const struct model_family *f = model_family_of_class(c->architecture);
    struct family_tensor t;
    int64_t total = 0;

    for (int32_t i = 0; f && model_family_tensor(f, c, i, &t); i++)
        total += t.shape[0] * t.shape[1];
    return total;
}
