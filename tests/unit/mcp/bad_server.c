/* bad_server.c - an MCP server on stdio (2025-11-25) that misbehaves, for test_mcp_client_stdio.c.
 *
 * Usage: bad_server MODE [NUMBER]; see `modes`. It reads requests by looking for their members.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long number;

static long id_of(const char *line)
{
    const char *at = strstr(line, "\"id\":");

    return at ? atol(at + 5) : 0;
}

static void answer(long id, const char *result)
{
    printf("{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":%s}\n", id, result);
    fflush(stdout);
}

static void put_text(long id, long bytes)
{
    printf("{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":{\"text\":\"", id);
    for (long i = 0; i + 3 <= bytes; i += 3)
        fputs("\xe2\x82\xac", stdout);
    printf("\"}}\n");
    fflush(stdout);
}

/* Each gets the line of a request that is not initialize. */
static void plain(const char *line)
{
    answer(id_of(line), "{\"content\":[]}");
}

static void chatty(const char *line)
{
    puts("Server running on stdio");
    puts("");
    puts("{\"level\":\"info\",\"msg\":\"not JSON-RPC\"}");
    puts("\xff\xfe\xfd");
    fprintf(stderr, "a line of errors\nand half a line");
    fflush(stderr);
    plain(line);
}

static void half(const char *line)
{
    printf("{\"jsonrpc\":\"2.0\",\"id\":%ld,\"resu", id_of(line));
    fflush(stdout);
    _exit(3);
}

static void slow_half(const char *line)
{
    printf("{\"jsonrpc\":\"2.0\",\"id\":%ld,\"resu", id_of(line));
    fflush(stdout);
    usleep(20000);
    puts("lt\":{\"content\":[]}}\r");
    fflush(stdout);
}

static void sized(const char *line)
{
    put_text(id_of(line), number);
}

static void silent(const char *line)
{
    (void)line;
}

static void dies(const char *line)
{
    (void)line;
    (void)raise(SIGKILL);
}

static void twice_and_early(const char *line)
{
    long id = id_of(line);

    answer(id, "{\"n\":1}");
    answer(id, "{\"n\":2}");
    answer(id + 1, "{\"n\":3}"); /* before it is asked */
}

static void pages(const char *line)
{
    const char *at = strstr(line, "\"cursor\":\"");
    int page = at ? atoi(at + 10) : 0;

    printf("{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":{\"tools\":[", id_of(line));
    for (int i = 0; i < 100; i++)
        printf("%s{\"name\":\"tool-%d\",\"inputSchema\":{\"type\":\"object\"}}", i ? "," : "",
               page * 100 + i);
    if (page + 1 < number)
        printf("],\"nextCursor\":\"%d\"}}\n", page + 1);
    else
        puts("]}}");
    fflush(stdout);
}

static void storm(const char *line)
{
    plain(line);
    for (int i = 0; i < 1000; i++)
        puts("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
    fflush(stdout);
}

/* So many lines that nobody has asked for, then the answer. */
static void flood(const char *line)
{
    for (long i = 0; i < number; i++)
        puts("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":"
             "{\"level\":\"info\",\"data\":\"x\"}}");
    plain(line);
}

static void deep(const char *line)
{
    printf("{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":{\"a\":", id_of(line));
    for (int i = 0; i < 100000; i++)
        putchar('[');
    for (int i = 0; i < 100000; i++)
        putchar(']');
    puts("}}");
    fflush(stdout);
}

/* A text that was cut in the middle of a character, as programs in JavaScript do. */
static void surrogate(const char *line)
{
    answer(id_of(line), "{\"content\":[{\"type\":\"text\",\"text\":\"\\ud83d\"}]}");
}

static const struct {
    const char *name;
    void (*serve)(const char *line);
} modes[] = {
    {"plain", plain}, {"chatty", chatty}, {"half", half}, {"slow-half", slow_half},
    {"sized", sized}, {"silent", silent}, {"dies", dies}, {"twice", twice_and_early},
    {"pages", pages}, {"storm", storm},   {"deep", deep}, {"surrogate", surrogate},
    {"deaf", plain},  {"flood", flood},
};

int main(int argc, char **argv)
{
    void (*serve)(const char *line) = NULL;
    char *line = NULL;
    size_t cap = 0;

    number = argc > 2 ? atol(argv[2]) : 0;
    for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(argv[1], modes[i].name) == 0)
            serve = modes[i].serve;
    }
    if (!serve)
        return 2;
    if (strcmp(argv[1], "deaf") == 0)
        (void)signal(SIGTERM, SIG_IGN);
    while (getline(&line, &cap, stdin) > 0) {
        if (strstr(line, "\"server/discover\""))
            printf(
                "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"error\":{\"code\":-32601,\"message\":\"no\"}}\n",
                id_of(line));
        else if (strstr(line, "\"initialize\""))
            answer(id_of(line),
                   "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}}}");
        else if (id_of(line) && !strstr(line, "notifications/"))
            serve(line);
        fflush(stdout);
    }
    free(line);
    while (strcmp(argv[1], "deaf") == 0)
        pause();
    return 0;
}
