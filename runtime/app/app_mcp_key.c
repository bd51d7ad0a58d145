/* app_mcp_key.c - see app_mcp_key.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_mcp_key.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/app/app.h"
#include "runtime/base/file_open.h"

#define KEY_FILE "mcp-key"

static enum status make(const struct seams *seams, const char *path, struct error *err)
{
    unsigned char key[HUB_KEY_BYTES];
    char folder[APP_PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    enum status st = STATUS_OK;
    int fd = -1;

    if (n > 0 && n < sizeof(folder)) {
        memcpy(folder, path, n);
        folder[n] = '\0';
        st = dir_make(folder, err);
    }
    if (!st) /* empty, with its mode, which file_write_atomic keeps */
        st = file_open(path, O_WRONLY | O_CREAT, S_IRUSR | S_IWUSR, &fd, NULL, err);
    if (fd >= 0)
        close(fd);
    seams->random.fill(seams->random.ctx, key, sizeof(key));
    if (!st)
        st = file_write_atomic(seams, path, key, sizeof(key), err);
    explicit_bzero(key, sizeof(key));
    return st;
}

enum status app_mcp_key(const struct seams *seams, const char *user_yaml,
                        unsigned char key[HUB_KEY_BYTES], struct error *err)
{
    const char *slash = strrchr(user_yaml, '/');
    size_t folder_bytes = slash ? (size_t)(slash + 1 - user_yaml) : 0;
    char path[APP_PATH_MAX + sizeof(KEY_FILE)];
    struct stat info;
    char *bytes = NULL;
    size_t n = 0;
    enum status st = STATUS_OK;

    memcpy(path, user_yaml, folder_bytes);
    memcpy(path + folder_bytes, KEY_FILE, sizeof(KEY_FILE));
    if (stat(path, &info) || info.st_size == 0)
        st = make(seams, path, err);
    if (!st && !stat(path, &info) && (info.st_mode & (S_IRWXG | S_IRWXO))) {
        st = error_set(err, STATUS_CONFIG, "%s can be read by others", path);
        error_hint(err, "`chmod 600 %s`, or delete it: a new key is made", path);
    }
    if (!st)
        st = file_read(path, 4096, &bytes, &n, err);
    if (!st && n != HUB_KEY_BYTES) {
        st = error_set(err, STATUS_CONFIG, "%s must hold a key of %d bytes, and holds %zu", path,
                       HUB_KEY_BYTES, n);
        error_hint(err, "delete it: a new key is made, and tasks that clients began are lost");
    }
    if (!st)
        memcpy(key, bytes, HUB_KEY_BYTES);
    if (bytes)
        explicit_bzero(bytes, n);
    free(bytes);
    return st;
}
