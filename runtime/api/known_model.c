/* known_model.c - see known_model.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/known_model.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/home.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"

static const struct known_model known[] = {
#define M(name, about, licence, package, version, wheel, wheel_bytes, wheel_sha256, member,        \
          file_bytes, file_sha256)                                                                 \
    {name,        about,        licence, package,    version,    wheel,                            \
     wheel_bytes, wheel_sha256, member,  file_bytes, file_sha256},
#include "runtime/api/known_models.def"
#undef M
};

const struct known_model *known_model_at(int32_t i)
{
    return i >= 0 && (size_t)i < ARRAY_LEN(known) ? &known[i] : NULL;
}

const struct known_model *known_model_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i].name, name) == 0)
            return &known[i];
    return NULL;
}

enum status known_models_folder(struct str *out, struct error *err)
{
    const char *xdg = getenv("XDG_DATA_HOME");
    char home[4096];
    enum status st;

    if (xdg && xdg[0] == '/') { /* a relative one is ignored, as its specification says */
        str_printf(out, "%s/troupe/models", xdg);
        return STATUS_OK;
    }
    st = home_folder(home, sizeof(home), err);
    if (!st)
        str_printf(out, "%s/.local/share/troupe/models", home);
    return st;
}

enum status known_model_path(const struct known_model *m, struct str *out, struct error *err)
{
    const char *slash = strrchr(m->member, '/');
    enum status st = known_models_folder(out, err);

    if (!st)
        str_printf(out, "/%s/%s", m->name, slash ? slash + 1 : m->member);
    return st;
}

bool known_model_is_here(const struct known_model *m)
{
    struct str path = STR_INIT;
    struct error ignored = ERROR_INIT;
    bool here = !known_model_path(m, &path, &ignored) && file_exists(str_cstr(&path));

    str_deinit(&path);
    return here;
}

enum status known_model_is_missing(const struct known_model *m, struct error *err)
{
    (void)error_set(err, STATUS_NOT_FOUND, "the model %s has not been fetched", m->name);
    error_hint(err, "`troupe models get %s` fetches it", m->name);
    return STATUS_NOT_FOUND;
}
