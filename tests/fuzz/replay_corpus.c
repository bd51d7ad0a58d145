/* replay_corpus.c - runs a fuzz target over the files of a folder, without libFuzzer.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/seams.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int replay(const char *path)
{
    char *bytes = NULL;
    size_t n = 0;
    struct error err = ERROR_INIT;

    if (file_read(path, (size_t)64 << 20, &bytes, &n, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    LLVMFuzzerTestOneInput((const uint8_t *)bytes, n);
    free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    const struct dirent *entry;
    int failed = 0, n = 0;

    if (dir == NULL) {
        fprintf(stderr, "usage: %s FOLDER (which exists)\n", argv[0]);
        return 2;
    }
    while ((entry = readdir(dir))) {
        char path[1024];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        failed += replay(path);
        n++;
    }
    closedir(dir);
    printf("%d inputs\n", n);
    return failed || n == 0;
}
