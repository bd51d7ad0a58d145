/* app_detach.c - see app_detach.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_detach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/file_open.h"
#include "runtime/base/json.h"

#define UUID_BYTES 36
#define LOOK_MS    100 /* signals are checked this often: one just before poll would be late */

static int print_begun(struct app *a, const char *uuid)
{
    struct str out = STR_INIT;
    struct json *doc;
    int code;

    if (a->json) {
        doc = app_document("run");
        jv_set_string(doc, "run", uuid);
        jv_set_string(doc, "status", "running");
        jv_set_adopt(doc, "output", jv_null());
        jv_set_int(doc, "steps", 0);
        jv_set_int(doc, "tokens", 0);
        jv_set_real(doc, "wall_s", 0);
        return app_print_json(doc);
    }
    str_printf(&out, "%s\n", uuid);
    code = app_print(&out);
    str_deinit(&out);
    return code;
}

/* True: the child sent the id of its run. Forwards signals to the child. */
static bool read_uuid(const struct app *a, int from, pid_t child, char uuid[UUID_BYTES + 1])
{
    size_t n = 0;
    bool forwarded = false;

    for (;;) {
        struct pollfd p = {.fd = from, .events = POLLIN};
        if (*a->interrupted && !forwarded)
            forwarded = kill(child, *a->interrupted) == 0;
        if (poll(&p, 1, LOOK_MS) <= 0)
            continue;
        ssize_t got = read(from, uuid + n, UUID_BYTES - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        n += (size_t)got;
        if (n == UUID_BYTES) {
            uuid[n] = 0;
            return true;
        }
    }
}

static int code_of_child(pid_t child, struct error *err)
{
    int how = 0;

    while (waitpid(child, &how, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(how))
        return WEXITSTATUS(how) ? WEXITSTATUS(how) : EXIT_FAILED;
    (void)error_set(err, STATUS_FAILED, "signal %d ended the run's process before the run began",
                    WTERMSIG(how));
    return EXIT_FAILED;
}

enum status app_detach(struct app *a, struct detached *d, int *code, struct error *err)
{
    int ends[2];
    pid_t child;
    char uuid[UUID_BYTES + 1];

    if (option_flag(a->options, OPT_STREAM)) {
        error_set(err, STATUS_USAGE, "--stream and --detach exclude each other");
        error_hint(err, "`troupe show RUN --follow` shows a run in the background as it goes");
        return STATUS_USAGE;
    }
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, 0, "cannot create a pipe");
    child = fork();
    if (child < 0) {
        (void)error_errno(err, 0, "cannot create a process");
        close(ends[0]);
        close(ends[1]);
        return STATUS_FAILED;
    }
    if (child == 0) {
        close(ends[0]);
        d->pipe = ends[1];
        setsid(); /* Ctrl-C and a closed terminal do not reach it */
        return STATUS_OK;
    }
    d->is_parent = true;
    close(ends[1]);
    if (read_uuid(a, ends[0], child, uuid))
        *code = print_begun(a, uuid);
    else
        *code = code_of_child(child, err);
    close(ends[0]);
    return err->status;
}

/* Standard input and output to /dev/null, errors to `log`. */
static enum status redirect(const char *log, struct error *err)
{
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    int to = -1;
    enum status st = file_open(log, O_WRONLY | O_APPEND | O_CREAT, 0600, &to, NULL, err);

    if (!st && (nowhere < 0 || dup2(nowhere, STDIN_FILENO) < 0 ||
                dup2(nowhere, STDOUT_FILENO) < 0 || dup2(to, STDERR_FILENO) < 0))
        st = error_errno(err, 0, "cannot write messages to %s", log);
    if (nowhere > STDERR_FILENO)
        close(nowhere);
    if (to > STDERR_FILENO)
        close(to);
    return st;
}

enum status app_detached(struct app *a, struct detached *d, const char *uuid, struct error *err)
{
    char store[1100], log[1110];
    enum status st;

    if (d->pipe < 0)
        return STATUS_OK;
    st = app_store_path(a, store, sizeof(store), err);
    if (st)
        return st;
    (void)snprintf(log, sizeof(log), "%s.log", store);
    st = redirect(log, err);
    if (st)
        return st;
    log_free(a->log);
    a->log = app_log(a->options, LOG_INFO, false);
    troupe_set_log(a->troupe, a->log);
    while (write(d->pipe, uuid, UUID_BYTES) < 0 && errno == EINTR)
        ; /* shorter than PIPE_BUF, so atomic; goes on if the parent has exited */
    close(d->pipe);
    d->pipe = -1;
    return STATUS_OK;
}
