/* env_faults.c - the selection of kinds of faults: names and bits.
 *
 * A kind that is held out of training and then tested alone shows whether a policy learned to look
 * in general, or only for the faults of its training (OffCourse, section 3: shift).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "tools/environments/env_core.h"

static int32_t kind_of(const struct env_ops *ops, const char *word, size_t n)
{
    for (int32_t k = 0; k < ops->n_faults; k++)
        if (strlen(ops->faults[k]) == n && memcmp(ops->faults[k], word, n) == 0)
            return k;
    return -1;
}

static enum status unknown(const struct env_ops *ops, const char *word, size_t n, struct error *err)
{
    struct str list = STR_INIT;

    env_faults_text(ops, UINT32_MAX, &list);
    (void)error_set(err, STATUS_USAGE, "%s has no kind of fault \"%.*s\"; its kinds are: %s",
                    ops->name, n > 64 ? 64 : (int)n, word, str_cstr(&list));
    str_deinit(&list);
    return STATUS_USAGE;
}

enum status env_faults_of(const struct env_ops *ops, const char *words, uint32_t *out,
                          struct error *err)
{
    uint32_t faults = 0;

    if (strcmp(words, "all") == 0) {
        *out = 0;
        return STATUS_OK;
    }
    for (const char *at = words;; at++) {
        size_t n = strcspn(at, ",");
        int32_t kind = kind_of(ops, at, n);

        if (kind < 0)
            return unknown(ops, at, n, err);
        faults |= UINT32_C(1) << kind;
        at += n;
        if (!*at)
            break;
    }
    /* All kinds by name are 0 too, so that records compare equal. */
    *out = faults == env_all_faults(ops->n_faults) ? 0 : faults;
    return STATUS_OK;
}

void env_faults_text(const struct env_ops *ops, uint32_t faults, struct str *out)
{
    bool any = false;

    if (faults == 0) {
        str_puts(out, "all");
        return;
    }
    for (int32_t k = 0; k < ops->n_faults; k++) {
        if (!(faults >> k & 1))
            continue;
        str_printf(out, "%s%s", any ? "," : "", ops->faults[k]);
        any = true;
    }
}

int32_t env_n_faults(const struct env_params *p, int32_t n)
{
    int32_t chosen = 0;

    for (int32_t k = 0; k < n; k++)
        chosen += env_has_fault(p, k);
    return chosen;
}

int32_t env_fault_kind(const struct env_params *p, int32_t n, double u, double rate)
{
    int32_t chosen = env_n_faults(p, n), at = 0;

    if (!(u < rate))
        return -1;
    /* Equal shares of [0, rate), so that a larger rate keeps the faults of a smaller one. */
    for (int32_t k = 0; k < n; k++)
        if (env_has_fault(p, k) && (++at == chosen || u < at * rate / chosen))
            return k;
    return -1;
}
