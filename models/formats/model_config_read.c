/* model_config_read.c - fields of a config.json, one by one; see model_config_impl.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "models/formats/model_config_impl.h"

void config_fault(struct config_reader *r, enum status status, const char *key, const char *problem)
{
    if (r->st == STATUS_OK)
        r->st = error_set(r->err, status, "%s: \"%s\": %s", r->name, key, problem);
}

int32_t config_int(struct config_reader *r, const char *key, int32_t min, int32_t max,
                   int32_t otherwise)
{
    const struct json *v = jv_get(r->root, key);
    int64_t i;

    if (config_null(v)) {
        if (otherwise < min)
            config_fault(r, STATUS_INVALID, key, "is missing");
        return otherwise;
    }
    i = jv_get_int(v, INT64_MIN);
    if (jv_kind(v) != JV_INT || i < min || i > max) {
        if (r->st == STATUS_OK)
            r->st =
                error_set(r->err, STATUS_INVALID, "%s: \"%s\": must be an integer from %d to %d",
                          r->name, key, min, max);
        return min;
    }
    return (int32_t)i;
}

double config_number(struct config_reader *r, const struct json *v, const char *key, double above,
                     double max, double otherwise)
{
    double d = jv_get_number(v, -1);

    if (config_null(v))
        return otherwise;
    if ((jv_kind(v) != JV_INT && jv_kind(v) != JV_REAL) || !(d > above && d <= max)) {
        if (r->st == STATUS_OK)
            r->st = error_set(r->err, STATUS_INVALID,
                              "%s: \"%s\": must be a number above %g and at most %g", r->name, key,
                              above, max);
        return otherwise;
    }
    return d;
}

bool config_bool(struct config_reader *r, const char *key, bool otherwise)
{
    const struct json *v = jv_get(r->root, key);

    if (!config_null(v) && jv_kind(v) != JV_BOOL)
        config_fault(r, STATUS_INVALID, key, "must be true or false");
    return jv_get_bool(v, otherwise);
}

void config_text(struct config_reader *r, const struct json *v, const char *key, char *out,
                 size_t size)
{
    const char *text = jv_get_string(v, NULL);

    if (text == NULL || strlen(text) >= size)
        config_fault(r, STATUS_INVALID, key, text ? "is too long" : "must be a string");
    else
        memcpy(out, text, strlen(text) + 1);
}
