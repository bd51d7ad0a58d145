/* bench_v1.c - parts of the measurements of /v1 and of remote models; v1_baseline.py runs them.
 *
 *   bench_v1 load PORT PATH BODY_FILE SECONDS AT_ONCE   POSTs on kept connections
 *   bench_v1 streams PORT AT_ONCE ROUNDS TOKENS         streamed completions of the embedded model
 *   bench_v1 engine AT_ONCE ROUNDS TOKENS               the same calls in this process
 *   bench_v1 remote URL CALLS AT_ONCE whole|stream      calls on a remote model
 *   bench_v1 canned REPLY_FILE                          a server: these bytes for each request
 *   bench_v1 bare REPLY_FILE                            the shortest handler of libwebsockets
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench_v1.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "bench_client.h"

char *v1_read_file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "re");
    char *text = malloc(1 << 20);

    if (!f || !text)
        bench_die(path);
    *n = fread(text, 1, (1 << 20) - 1, f);
    text[*n] = 0;
    (void)fclose(f);
    return text;
}

void v1_prompt(int i, int32_t out[V1_PROMPT])
{
    for (int k = 0; k < V1_PROMPT; k++)
        out[k] = 40 + (i * 7 + k * 13) % 60;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    (void)signal(SIGPIPE, SIG_IGN);
    if (strcmp(what, "load") == 0 && argc == 7)
        return v1_load(atoi(argv[2]), argv[3], argv[4], atof(argv[5]), atoi(argv[6]));
    if (strcmp(what, "streams") == 0 && argc == 6)
        return v1_streams(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), atoi(argv[5]));
    if (strcmp(what, "engine") == 0 && argc == 5)
        return v1_engine(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
    if (strcmp(what, "remote") == 0 && argc == 6)
        return v1_remote(argv[2], atoi(argv[3]), atoi(argv[4]), strcmp(argv[5], "stream") == 0);
    if (strcmp(what, "canned") == 0 && argc == 3)
        return v1_canned(argv[2]);
    if (strcmp(what, "bare") == 0 && argc == 3)
        return v1_bare(argv[2]);
    (void)fprintf(stderr, "bench_v1: the modes are in the comment at the top of bench_v1.c\n");
    return 2;
}
