/* app.h - common to all commands: options, seams, log, and the runtime (api/troupe.h).
 *
 * A command is one file (cmd_NAME.c) and one line in commands.def; it returns one of enum app_exit.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_H
#define TROUPE_RUNTIME_APP_APP_H

#include <sys/stat.h>

#include "mcp/config/mcp_input.h"
#include "runtime/api/troupe.h"
#include "runtime/base/log.h"
#include "runtime/base/seams.h"
#include "runtime/base/str.h"
#include "runtime/config/options.h"
#include "runtime/store/store.h"

#define APP_PATH_MAX 1100

enum app_exit {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOT_OK = 3, /* the run ended in something other than ok */
    EXIT_WAITING = 4,
    EXIT_BUSY = 75,
    EXIT_CONFIG = 78,
    EXIT_TIME = 124,
    EXIT_INTERRUPTED = 130,
    EXIT_TERMINATED = 143,
};

struct app_trace;
struct loop;

/* Written by the handler of SIGINT and SIGTERM, which main installs first and removes last. Nothing
 * else may install one. */
struct app_signal {
    volatile int signo; /* the first that arrived, or 0 */
    /* The loop to wake; its owner sets it, and clears it before freeing the loop. */
    struct loop *volatile wake;
    /* SIGINT is counted in `stops`, and does not ask the program to end, unless three are counted:
     * the caller that sets it to true acts on them and sets `stops` back to 0. */
    volatile bool counts_stops;
    volatile int stops;
    volatile int hangups;       /* SIGHUPs since catch_hangup */
    void (*catch_hangup)(void); /* from now on SIGHUP is counted; else it ends the process */
};

struct app {
    const struct options *options;
    const struct command_spec *command;
    const struct command_spec *const *commands; /* (n_commands) all, in the order of the help */
    int32_t n_commands;
    const struct seams *seams;
    struct log *log;
    struct remote_specs *remote; /* the section `models:` of the configuration */
    struct app_trace *trace;     /* app_trace.h; NULL: no traces */
    struct troupe *troupe;       /* its store is opened by app_store or app_look */
    bool writes;                 /* app_store has opened it */
    struct app_signal *signal;
    volatile int *interrupted; /* signal->signo, for the parts that poll it */
    bool json;
    /* Of app_mcp.c: answers to questions of configuration files, in memory alone; the servers are
     * for others, so nobody is asked; a person is there to log in. */
    struct mcp_inputs mcp_inputs;
    bool serves_mcp, logs_in;
    struct stat approvals; /* the file of approvals when it was last looked at (app_mcp.c) */
    bool approvals_seen;
};

/* A log on standard error, in the format of --log-format. */
struct log *app_log(const struct options *o, enum log_level level, bool progress);
/* {"code", "message", "where", "hint"?} */
struct json *app_error_json(const struct error *err);
/* Prints "troupe: WHERE: MESSAGE" and the hint (with --json also as a document) and gives the exit
 * code. */
int app_fail(struct app *a, const struct error *err);
/* Only the part on standard error. run: the one that it is about, or NULL. */
void app_print_error(struct app *a, const char *run, const struct error *err);
int app_exit_of(enum status st);
/* Writes all of s to standard output. EXIT_FAILED, with a message on standard error unless the
 * reader has closed the pipe. */
int app_print(const struct str *s);
/* Prints a JSON document (adopts it) and gives EXIT_OK. */
int app_print_json(struct json *adopt_document);
/* With --json prints {"schema": "troupe.NAME/1", key: value}, for commands that have no other
 * result. */
int app_print_done(struct app *a, const char *name, const char *key, const char *value);
/* {"schema": "troupe.NAME/1"} */
struct json *app_document(const char *name);

/* The store of this invocation; `create`: also when there is none yet. Lent. */
MUST_CHECK enum status app_store(struct app *a, bool create, struct store **out, struct error *err);
/* The same for reading alone: waits for no writer, changes nothing. */
MUST_CHECK enum status app_look(struct app *a, struct store **out, struct error *err);
/* The options of app_store, for a caller that opens the store later; writes `path`. */
MUST_CHECK enum status app_store_options(const struct app *a, char path[APP_PATH_MAX],
                                         struct store_options *out, struct error *err);
/* A reader of the open store; opens it as app_look does if none is open. */
MUST_CHECK enum status app_reader(struct app *a, struct store_reader **out, struct error *err);
/* --store, else the nearest .troupe/store.db from the working folder upward, else the user's store
 * in XDG_DATA_HOME or the home folder. */
MUST_CHECK enum status app_store_path(const struct app *a, char *out, size_t n, struct error *err);
int32_t app_threads(const struct app *a); /* --threads, or all cores */
/* --seed, or a random one. */
uint64_t app_seed(const struct app *a);

#endif
