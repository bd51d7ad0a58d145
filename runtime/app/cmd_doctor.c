/* cmd_doctor.c - doctor: what the program found on this machine and what it uses.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kernels/cpu/cpu_backend.h"
#include "models/engine/engine.h"
#include "runtime/app/app.h"
#include "runtime/app/table.h"
#include "runtime/base/json.h"

struct findings {
    struct table *table;
    struct json *rows;
    int bad;
};

static void note(struct findings *f, const char *what, bool ok, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

static void note(struct findings *f, const char *what, bool ok, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    struct json *o = jv_object();

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    const char *cells[] = {ok ? "ok" : "--", what, text};
    table_row(f->table, cells);
    jv_set_string(o, "what", what);
    jv_set_bool(o, "ok", ok);
    jv_set_string(o, "found", text);
    jv_append_adopt(f->rows, o);
}

static void look_at_machine(struct findings *f)
{
    struct sysinfo si;
    struct utsname un;

    if (uname(&un) == 0)
        note(f, "system", true, "%s %s %s", un.sysname, un.release, un.machine);
    note(f, "cores", true, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    note(f, "instruction set", true, "%s (all give the same bits; --cpu-isa chooses)",
         cpu_isa_name(cpu_isa_best()));
    if (sysinfo(&si) == 0)
        note(f, "memory", true, "%.1f GiB, %.1f free",
             (double)si.totalram * si.mem_unit / (1 << 30),
             (double)si.freeram * si.mem_unit / (1 << 30));
}

static void look_at_model(struct findings *f)
{
    size_t bytes = 0;
    int32_t n = 0;

    for (; embedded_file_at(n); n++)
        bytes += embedded_file_at(n)->n;
    note(f, "embedded model", n > 0, "%d files, %.2f MiB", n, (double)bytes / 1048576);
}

static void look_at_store(struct app *a, struct findings *f)
{
    char path[1100];
    struct store *s;
    struct store_stats stats;
    struct error err = ERROR_INIT;

    if (app_store_path(a, path, sizeof(path), &err)) {
        note(f, "store", false, "%s", err.message);
        f->bad++;
        return;
    }
    if (!file_exists(path)) {
        note(f, "store", true, "%s (the first run creates it)", path);
        return;
    }
    if (app_look(a, &s, &err) || store_stats(s, &stats, &err)) {
        note(f, "store", false, "%s: %s", path, err.message);
        f->bad++;
        return;
    }
    note(f, "store", true, "%s: %lld run%s, %lld step%s, %.1f MiB", path, (long long)stats.n_runs,
         plural_s(stats.n_runs), (long long)stats.n_steps, plural_s(stats.n_steps),
         (double)stats.file_bytes / 1048576);
}

static void look_at_gpu(struct findings *f)
{
    if (access("/dev/nvidiactl", F_OK) != 0)
        note(f, "GPU", false, "no NVIDIA driver (/dev/nvidiactl is missing): the CPU is used");
    else
        note(f, "GPU", false, "driver found, but this build has no CUDA plug-in: the CPU is used");
}

static int doctor_main(void *app)
{
    static const char *const columns[] = {"", "what", "found"};
    struct app *a = app;
    struct findings f = {.table = table_new(columns, 3), .rows = jv_array()};
    struct str out = STR_INIT;
    int code;

    note(&f, "troupe", true, "%s", APP_VERSION);
    look_at_machine(&f);
    look_at_gpu(&f);
    look_at_model(&f);
    look_at_store(a, &f);
    if (a->json) {
        struct json *doc = app_document("doctor");
        jv_set_adopt(doc, "findings", jv_ref(f.rows));
        code = app_print_json(doc);
    } else {
        table_write(f.table, &out);
        code = app_print(&out);
    }
    jv_unref(f.rows);
    table_free(f.table);
    str_deinit(&out);
    return f.bad ? EXIT_FAILED : code;
}

const struct command_spec cmd_doctor = {"doctor",
                                        "host",
                                        "",
                                        "show what this machine has and what troupe uses",
                                        "The exit code is 1 when something is missing or wrong.",
                                        NULL,
                                        0,
                                        0,
                                        doctor_main};
