/* main.c - reads the command line, catches signals, calls the command.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/app/app.h"
#include "runtime/app/app_mcp.h"
#include "runtime/app/app_model.h"
#include "runtime/app/app_trace.h"
#include "runtime/base/mapped_file.h"
#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"
#include "runtime/loop/supervisor.h"

#define C(name) extern const struct command_spec name;
#include "runtime/app/commands.def"
#undef C

static const struct command_spec *const commands[] = {
#define C(name) &name,
#include "runtime/app/commands.def"
#undef C
};

/* Where the handler stores the signal number: in main's frame. Only the main thread has this
 * pointer. */
static _Thread_local struct app_signal *caught;

static void on_signal(int signo)
{
    if (!caught) { /* another thread got the signal: pass it to the main thread */
        syscall(SYS_tgkill, getpid(), getpid(), signo);
        return;
    }
    if (signo == SIGHUP) {
        caught->hangups++;
        if (caught->wake)
            loop_wake(caught->wake);
        return;
    }
    if (signo == SIGINT && caught->counts_stops && ++caught->stops < 3) {
        if (caught->wake)
            loop_wake(caught->wake);
        return;
    }
    if (caught->signo)
        _exit(128 + signo); /* the second Ctrl-C does not wait; the store is crash-safe */
    caught->signo = signo;
    if (caught->wake)
        loop_wake(caught->wake);
}

static void catch_hangup(void)
{
    struct sigaction sa;

    memset(&sa, 0, sizeof(sa));
    sa.sa_handler = on_signal;
    sigaction(SIGHUP, &sa, NULL);
}

static void catch_signals(struct app_signal *here)
{
    struct error ignored = ERROR_INIT;
    struct sigaction sa;

    caught = here;
    memset(&sa, 0, sizeof(sa));
    sa.sa_handler = on_signal;
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sa.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &sa, NULL);
    sigaction(SIGXFSZ, &sa, NULL); /* a file size limit becomes an error of the write */
    if (mapped_files_catch_cuts(&ignored))
        return; /* then a model's file that is cut ends the program, as without the handler */
}

/* From here on there is nothing left to save, and main's frame ends. */
static void on_late_signal(int signo)
{
    _exit(128 + signo);
}

static void leave_signals(void)
{
    struct sigaction sa;

    memset(&sa, 0, sizeof(sa));
    sa.sa_handler = on_late_signal;
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
}

/* An interrupt decides the exit code until the very end; errors are still printed. */
static int final_code(int code, int signo)
{
    bool ended = code == EXIT_OK || code == EXIT_NOT_OK || code == EXIT_WAITING ||
                 code == EXIT_INTERRUPTED || code == EXIT_TERMINATED;

    return signo && ended ? 128 + signo : code;
}

/* A command whose help says --model M has nothing that NAME=M could name. */
static enum status check_model(const struct app *a, struct error *err)
{
    const char *metavar = option_for(a->command, OPT_MODEL).metavar;

    return strchr(metavar, '=') ? STATUS_OK : app_model_is_one(a, err);
}

static void app_deinit(struct app *a)
{
    app_trace_close(a);
    troupe_free(a->troupe);
    mcp_inputs_deinit(&a->mcp_inputs);
    log_free(a->log);
}

int main(int argc, char **argv)
{
    struct app a = {
        .seams = seams_real(), .commands = commands, .n_commands = (int32_t)ARRAY_LEN(commands)};
    struct options *options = NULL;
    struct error err = ERROR_INIT;
    struct app_signal caught_here = {0};
    int code;

    if (supervisor_is_asked(argc, argv)) /* not by a person */
        return supervisor_main();
    catch_signals(&caught_here);
    caught_here.catch_hangup = catch_hangup;
    a.signal = &caught_here;
    a.interrupted = &caught_here.signo;
    for (int i = 1; i < argc; i++)
        a.json |= strcmp(argv[i], "--json") == 0; /* also for errors of parsing */
    enum status st =
        options_parse(argc, argv, a.commands, a.n_commands, &options, &a.command, &err);
    if (!st)
        st = app_remote_specs(options, &a.remote, &err);
    if (st) {
        a.log = log_new(STDERR_FILENO, LOG_WARN, false);
        code = app_fail(&a, &err);
        log_free(a.log);
        options_free(options);
        return code;
    }
    a.options = options;
    a.json = option_flag(options, OPT_JSON);
    a.log = app_log(options,
                    option_flag(options, OPT_QUIET)     ? LOG_WARN
                    : option_flag(options, OPT_VERBOSE) ? LOG_DEBUG
                                                        : LOG_INFO,
                    !option_flag(options, OPT_QUIET));
    if (!a.command || option_flag(options, OPT_HELP)) {
        struct str s = STR_INIT;
        if (a.command)
            help_command(a.command, &s);
        else
            help_overview(a.commands, a.n_commands, &s);
        code = app_print(&s);
        str_deinit(&s);
    } else if (check_model(&a, &err)) {
        code = app_fail(&a, &err);
    } else {
        const struct troupe_options o = {.seams = a.seams,
                                         .log = a.log,
                                         .model = app_model_options(&a),
                                         .interrupted = a.interrupted};
        a.troupe = troupe_new(&o);
        app_mcp_offer(&a);
        code = a.command->main(&a);
    }
    app_deinit(&a);
    remote_specs_free(a.remote);
    options_free(options);
    leave_signals();
    return final_code(code, caught_here.signo);
}
