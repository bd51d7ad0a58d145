/* app_mcp_log.c - logs of MCP servers: see app_mcp.h.
 *
 * Each server has two files of bounded size, so that one that writes without end fills no disk.
 * They are for their owner alone: servers may write secrets.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mcp/hub/hub_names.h"
#include "runtime/app/app_mcp.h"
#include "runtime/app/table.h"
#include "runtime/base/file_open.h"
#include "runtime/base/private_file.h"

#define LINE_MAX_BYTES 4096

enum status app_mcp_log_path(const char *server, bool older, struct str *out, struct error *err)
{
    char prefix[HUB_PREFIX_MAX + 1], name[HUB_PREFIX_MAX + 32];

    hub_names_prefix(server, prefix);
    snprintf(name, sizeof(name), "mcp-logs/%s.log%s", prefix, older ? ".1" : "");
    return private_file_path(name, out, err);
}

static enum status open_log(const char *path, int *fd, struct stat *info, struct error *err)
{
    const char *slash = strrchr(path, '/');
    char folder[APP_PATH_MAX];
    enum status st;

    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
    st = dir_make(folder, err);
    return st ? st : file_open(path, O_WRONLY | O_CREAT | O_APPEND, 0600, fd, info, err);
}

void app_mcp_log_line(void *ctx, const char *server, const char *text, size_t n)
{
    struct app *a = ctx;
    struct str path = STR_INIT, older = STR_INIT, line = STR_INIT;
    struct error ignored = ERROR_INIT;
    struct stat info;
    char when[40];
    int fd = -1;

    log_write(a->log, LOG_DEBUG, "server %s: %.*s", server,
              (int)(n < LINE_MAX_BYTES ? n : LINE_MAX_BYTES), text);
    format_time_ms(seams_wall_ms(a->seams), when, sizeof(when));
    str_printf(&line, "%s ", when);
    str_append(&line, text, n < LINE_MAX_BYTES ? n : LINE_MAX_BYTES);
    str_putc(&line, '\n');
    if (!app_mcp_log_path(server, false, &path, &ignored) &&
        !app_mcp_log_path(server, true, &older, &ignored) &&
        !open_log(str_cstr(&path), &fd, &info, &ignored)) {
        (void)!write(fd, str_cstr(&line), line.len);
        close(fd);
        if (info.st_size + (off_t)line.len > APP_MCP_LOG_BYTES)
            (void)!rename(str_cstr(&path), str_cstr(&older));
    }
    str_deinit(&path);
    str_deinit(&older);
    str_deinit(&line);
}
