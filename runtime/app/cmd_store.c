/* cmd_store.c - store check, backup, stats and gc.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app.h"
#include "runtime/app/table.h"
#include "runtime/base/json.h"

static int check_main(void *app)
{
    struct app *a = app;
    struct store *s;
    struct str report = STR_INIT;
    struct error err = ERROR_INIT;
    enum status st = app_look(a, &s, &err);
    int code;

    if (st) /* also when the store cannot be opened: then there is no report */
        return app_fail(a, &err);
    st = store_check(s, &report, &err);
    if (st && st != STATUS_CORRUPT) {
        code = app_fail(a, &err);
    } else if (a->json) {
        struct json *doc = app_document("store_check");
        jv_set_bool(doc, "ok", !st);
        jv_set_string(doc, "report", str_cstr(&report));
        code = app_print_json(doc);
    } else {
        if (!st)
            str_puts(&report, "the store is ok\n");
        code = app_print(&report);
    }
    str_deinit(&report);
    return st == STATUS_CORRUPT ? EXIT_FAILED : code;
}

const struct command_spec cmd_store_check = {
    "store check",
    "host",
    "",
    "check the whole store for damage",
    "Each problem is one line that names its place. The exit code is 1 when there is a problem.",
    NULL,
    0,
    0,
    check_main};

static int backup_main(void *app)
{
    struct app *a = app;
    struct store *s;
    struct error err = ERROR_INIT;
    enum status st = app_look(a, &s, &err);

    if (!st)
        st = store_backup(s, options_arg(a->options, 0), &err);
    if (st)
        return app_fail(a, &err);
    log_write(a->log, LOG_INFO, "backed up to %s", options_arg(a->options, 0));
    return app_print_done(a, "store_backup", "file", options_arg(a->options, 0));
}

const struct command_spec cmd_store_backup = {
    "store backup", "host", "FILE", "copy the store, also while it is in use", NULL, NULL, 1, 1,
    backup_main};

static const struct {
    const char *name, *unit;
    size_t offset;
} stats_fields[] = {
#define FIELD(name, unit)                                                                          \
    {                                                                                              \
#name, unit, offsetof(struct store_stats, name)                                            \
    }
    FIELD(file_bytes, "bytes"), FIELD(wal_bytes, "bytes"),        FIELD(n_runs, ""),
    FIELD(n_steps, ""),         FIELD(n_token_records, ""),       FIELD(n_episodes, ""),
    FIELD(n_blobs, ""),         FIELD(blob_plain_bytes, "bytes"), FIELD(blob_stored_bytes, "bytes"),
#undef FIELD
};

static int stats_main(void *app)
{
    struct app *a = app;
    struct store *s;
    struct store_stats stats;
    struct error err = ERROR_INIT;
    struct str out = STR_INIT;
    enum status st = app_look(a, &s, &err);
    struct json *doc;
    int code;

    if (!st)
        st = store_stats(s, &stats, &err);
    if (st)
        return app_fail(a, &err);
    doc = app_document("store_stats");
    jv_set_string(doc, "path", store_path(s));
    str_printf(&out, "store  %s\n", store_path(s));
    for (size_t i = 0; i < sizeof(stats_fields) / sizeof(stats_fields[0]); i++) {
        int64_t v = *(const int64_t *)(const void *)((const char *)&stats + stats_fields[i].offset);
        jv_set_int(doc, stats_fields[i].name, v);
        str_printf(&out, "%-18s %14lld %s\n", stats_fields[i].name, (long long)v,
                   stats_fields[i].unit);
    }
    if (a->json)
        code = app_print_json(doc);
    else {
        jv_unref(doc);
        code = app_print(&out);
    }
    str_deinit(&out);
    return code;
}

const struct command_spec cmd_store_stats = {
    "store stats", "host", "", "show the size of the store and what it holds", NULL, NULL, 0, 0,
    stats_main};

static int gc_main(void *app)
{
    struct app *a = app;
    struct store *s;
    int64_t n = 0, bytes = 0;
    struct error err = ERROR_INIT;
    enum status st = app_store(a, false, &s, &err);

    if (!st)
        st = store_gc(s, &n, &bytes, &err);
    if (st)
        return app_fail(a, &err);
    if (a->json) {
        struct json *doc = app_document("store_gc");
        jv_set_int(doc, "blobs", n);
        jv_set_int(doc, "bytes", bytes);
        return app_print_json(doc);
    }
    log_write(a->log, LOG_INFO, "freed %lld blob%s, %lld byte%s", (long long)n, plural_s(n),
              (long long)bytes, plural_s(bytes));
    return EXIT_OK;
}

const struct command_spec cmd_store_gc = {
    "store gc", "host", "", "free the space of deleted runs", NULL, NULL, 0, 0, gc_main};
