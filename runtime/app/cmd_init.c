/* cmd_init.c - init: sets up a folder: a store, a first blueprint, settings.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "runtime/app/app.h"

static const char blueprint[] =
    "# A first blueprint. `troupe validate first.yaml` checks it, `troupe run first.yaml` runs "
    "it.\n"
    "schema: blueprint/v1\n"
    "inputs:\n"
    "  horizon: {type: integer, default: 10, description: orders to book}\n"
    "models: {small: embedded}\n"
    "agents:\n"
    "  bookkeeper: {role: bookkeeper, model: small, budget: {steps: 100000}}\n"
    "steps:\n"
    "  book: {agent: bookkeeper, env: {name: ledger, horizon: \"${inputs.horizon}\"}}\n"
    "output: \"${book.verdict}\"\n";

static const char settings[] =
    "# Settings for this folder. `troupe config` lists all settings and where each comes from.\n"
    "# threads: 2\n";

static enum status write_new(struct app *a, const char *dir, const char *name, const char *text,
                             struct error *err)
{
    char path[1200];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (file_exists(path) && !option_flag(a->options, OPT_FORCE)) {
        log_write(a->log, LOG_INFO, "%s already exists and is not changed", path);
        return STATUS_OK;
    }
    enum status st = file_write_atomic(a->seams, path, text, strlen(text), err);
    if (!st)
        log_write(a->log, LOG_INFO, "wrote %s", path);
    return st;
}

static int init_main(void *app)
{
    struct app *a = app;
    const char *dir = options_arg(a->options, 0) ? options_arg(a->options, 0) : ".";
    char path[1100];
    struct store *s = NULL;
    struct error err = ERROR_INIT;
    enum status st;

    snprintf(path, sizeof(path), "%s/.troupe", dir);
    st = dir_make(path, &err);
    if (!st)
        st = write_new(a, dir, "first.yaml", blueprint, &err);
    if (!st)
        st = write_new(a, dir, "troupe.yaml", settings, &err);
    snprintf(path, sizeof(path), "%s/.troupe/store.db", dir);
    if (!st) {
        struct store_options o = {
            .path = path, .durability = STORE_FULL, .create = true, .seams = a->seams};
        st = store_open(&o, &s, &err);
    }
    store_close(s);
    if (st)
        return app_fail(a, &err);
    log_write(a->log, LOG_INFO, "runs started in %s or below are recorded in %s", dir, path);
    return app_print_done(a, "init", "store", path);
}

static const enum option_id init_options[] = {OPT_FORCE, OPT_END};
const struct command_spec cmd_init = {
    "init",
    "host",
    "[DIR]",
    "set up a folder: a store, a first blueprint, settings",
    "DIR is the working folder by default. It writes first.yaml, troupe.yaml and "
    ".troupe/store.db; existing\nfiles stay as they are.",
    init_options,
    0,
    1,
    init_main};
