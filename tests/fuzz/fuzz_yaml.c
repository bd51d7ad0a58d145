/* fuzz_yaml.c - any bytes as YAML and as a blueprint: an error with a message and a position, or a
 * value.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/plan.h"
#include "runtime/base/utf8.h"
#include "runtime/base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_fault(enum status st, const struct error *err)
{
    size_t words = strlen(err->message);

    if (st != err->status || words == 0 || strncmp(err->where, "main.yaml", 9) != 0 ||
        utf8_valid_prefix(err->message, words) != words)
        abort();
}

static void as_blueprint(const char *text, size_t n)
{
    struct json *effective = jv_object();
    struct json *files = jv_object();
    struct plan *p = NULL, *again = NULL;
    struct error err = ERROR_INIT;
    enum status st;

    jv_set_string(effective, "schema", "blueprint-effective/1");
    jv_set_string(effective, "blueprint", "main.yaml");
    jv_set_adopt(files, "main.yaml", jv_string_n(text, n));
    jv_set_adopt(effective, "files", files);
    st = blueprint_from_effective(effective, &p, &err);
    if (st)
        check_fault(st, &err);
    else if (blueprint_from_effective(p->effective, &again, &err) ||
             memcmp(&p->hash, &again->hash, sizeof(p->hash)) != 0)
        abort();
    plan_free(again);
    plan_free(p);
    jv_unref(effective);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *text = (const char *)data;
    struct yaml *y = NULL;
    struct error err = ERROR_INIT;
    enum status st = yaml_parse(text, n, "main.yaml", &y, &err);

    if (st) {
        check_fault(st, &err);
    } else {
        jv_unref(yaml_to_json(yaml_root(y)));
        as_blueprint(text, n);
    }
    yaml_free(y);
    return 0;
}
