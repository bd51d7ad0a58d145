/* test_file_tools.c - files inside the root can be read, written and listed; nothing outside it
 * can, by no path, link, or race.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/support/temp_dir.h"
#include "tools/part_file.h"
#include "tools/registry.h"

#define SECRET "the marker that must never be read"

/* base/root is the tools' world; base/outside is what they must not touch. */
struct world {
    char base[64], root[96], outside[96];
    struct tool_registry *r;
};

static void path_in(char out[256], const char *dir, const char *name)
{
    assert_true(snprintf(out, 256, "%s/%s", dir, name) < 256);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct tool_registry_options o;
    char path[256];

    assert_non_null(w);
    temp_dir(w->base);
    (void)snprintf(w->root, sizeof(w->root), "%s/root", w->base);
    (void)snprintf(w->outside, sizeof(w->outside), "%s/outside", w->base);
    assert_int_equal(mkdir(w->root, 0755), 0);
    assert_int_equal(mkdir(w->outside, 0755), 0);
    temp_dir_put(w->outside, "secret", SECRET, strlen(SECRET));
    temp_dir_put(w->root, "a.txt", "hello", 5);
    path_in(path, w->root, "dir");
    assert_int_equal(mkdir(path, 0755), 0);
    temp_dir_put(path, "b.txt", "inner", 5);
    o = (struct tool_registry_options){.root = w->root, .seams = seams_real()};
    assert_ok(tool_registry_new(&o, &w->r, why));
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    tool_registry_free(w->r);
    temp_dir_remove(w->base);
    free(w);
    return 0;
}

static char *call_with(struct world *w, const char *tool, struct json *adopt_args,
                       enum tool_outcome *outcome)
{
    struct tool_call *c = tool_call_new(
        &(struct tool_call_spec){.tool = tool_registry_find(w->r, tool), .arguments = adopt_args});
    char *text;

    tool_call_start(c);
    *outcome = c->outcome;
    text = jv_dump(c->result.value);
    tool_call_free(c);
    jv_unref(adopt_args);
    return text;
}

static char *call_path(struct world *w, const char *tool, const char *path,
                       enum tool_outcome *outcome)
{
    struct json *args = jv_object();

    jv_set_string(args, "path", path);
    if (strcmp(tool, "write_file") == 0)
        jv_set_string(args, "text", "written");
    return call_with(w, tool, args, outcome);
}

static void assert_answer(struct world *w, const char *tool, const char *path, const char *want)
{
    enum tool_outcome outcome;
    char *text = call_path(w, tool, path, &outcome);

    if (!strstr(text, want))
        fail_msg("%s %s: %s", tool, path, text);
    free(text);
}

static void files_are_read_written_and_listed(void **state)
{
    struct world *w = *state;

    assert_answer(w, "read_file", "a.txt",
                  "{\"text\":\"hello\",\"bytes\":5,\"size\":5,\"more\":false}");
    assert_answer(w, "read_file", "dir/../a.txt", "hello");
    assert_answer(w, "write_file", "a.txt", "{\"bytes\":7}");
    assert_answer(w, "read_file", "a.txt", "written");
    assert_answer(w, "write_file", "new/deep//tree/c.txt", "{\"bytes\":7}");
    assert_answer(w, "read_file", "new/deep/tree/c.txt", "written");
    assert_answer(w, "list_files", ".",
                  "{\"files\":[{\"name\":\"a.txt\",\"type\":\"file\",\"size\":7},"
                  "{\"name\":\"dir\",\"type\":\"directory\"},"
                  "{\"name\":\"new\",\"type\":\"directory\"}],\"more\":false}");
    assert_answer(w, "list_files", "new/deep/tree",
                  "{\"files\":[{\"name\":\"c.txt\",\"type\":\"file\",\"size\":7}],\"more\":false}");
}

static void modes_are_kept(void **state)
{
    struct world *w = *state;
    char path[256];
    struct stat s;

    path_in(path, w->root, "a.txt");
    assert_int_equal(chmod(path, 0751), 0);
    assert_answer(w, "write_file", "a.txt", "{\"bytes\":7}");
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0751);
}

static void long_files_come_in_parts(void **state)
{
    struct world *w = *state;
    enum tool_outcome outcome;
    struct json *args;
    char *text;

    /* 17 bytes; the last character (3 bytes) crosses the cut at 16. */
    temp_dir_put(w->root, "long", "0123456789abcd\xe2\x82\xac!", 18);
    args = jv_object();
    jv_set_string(args, "path", "long");
    jv_set_int(args, "max_bytes", 16);
    text = call_with(w, "read_file", args, &outcome);
    assert_string_equal(text,
                        "{\"text\":\"0123456789abcd\",\"bytes\":14,\"size\":18,\"more\":true}");
    free(text);
    args = jv_object();
    jv_set_string(args, "path", "long");
    jv_set_int(args, "max_bytes", 16);
    jv_set_int(args, "offset", 14);
    text = call_with(w, "read_file", args, &outcome);
    assert_string_equal(text,
                        "{\"text\":\"\xe2\x82\xac!\",\"bytes\":4,\"size\":18,\"more\":false}");
    free(text);
    args = jv_object();
    jv_set_string(args, "path", "long");
    jv_set_int(args, "offset", 19);
    text = call_with(w, "read_file", args, &outcome);
    assert_string_equal(text, "{\"error\":\"offset 19 is past the end at 18\"}");
    free(text);
    temp_dir_put(w->root, "binary", "\x7f\x45LF\xff\xfe", 6);
    assert_answer(w, "read_file", "binary", "not UTF-8 text");
    temp_dir_put(w->root, "binary", "text\x00more", 9); /* a NUL is valid UTF-8 */
    assert_answer(w, "read_file", "binary", "a binary file of 9 bytes");
}

static void paths_do_not_lead_out(void **state)
{
    static const char *const names[] = {"read_file", "write_file", "list_files"};
    struct world *w = *state;
    char link_path[256], target[256], inside[256];
    const char *const bad[] = {"..",
                               "../outside/secret",
                               "dir/../../outside/secret",
                               "/etc/passwd",
                               "link/secret",
                               "up",
                               "up/x",
                               "/",
                               "dir/up/secret",
                               w->outside};

    path_in(link_path, w->root, "link");
    assert_int_equal(symlink(w->outside, link_path), 0);
    path_in(link_path, w->root, "up");
    path_in(target, w->outside, "secret");
    assert_int_equal(symlink(target, link_path), 0);
    path_in(inside, w->root, "dir/up");
    assert_int_equal(symlink("../../outside", inside), 0);
    for (size_t t = 0; t < 3; t++) {
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            enum tool_outcome outcome;
            char *text = call_path(w, names[t], bad[i], &outcome);

            if (outcome != TOOL_ERROR || strstr(text, SECRET))
                fail_msg("%s %s: %s", names[t], bad[i], text);
            free(text);
        }
    }
    assert_answer(w, "read_file", "../a", "leads outside the root");
    assert_answer(w, "read_file", "link/secret", "symbolic link");
    assert_answer(w, "list_files", "link", "symbolic link");
    assert_answer(w, "write_file", "up", "not a regular file");
    assert_answer(w, "read_file", "none", "does not exist");
    assert_answer(w, "read_file", "a.txt/x", "is not a directory, or");
    assert_answer(w, "write_file", "dir/", "does not name a file");
    /* A link within the root that stays within it is refused as well. */
    path_in(link_path, w->root, "alias");
    assert_int_equal(symlink("a.txt", link_path), 0);
    assert_answer(w, "read_file", "alias", "symbolic link");
}

static void only_regular_files_are_read(void **state)
{
    struct world *w = *state;
    char path[256];
    enum tool_outcome outcome;
    struct json *args;
    char *text;

    path_in(path, w->root, "fifo");
    assert_int_equal(mkfifo(path, 0644), 0);
    assert_answer(w, "read_file", "fifo", "not a regular file"); /* and does not wait */
    assert_answer(w, "write_file", "fifo", "not a regular file");
    assert_answer(w, "read_file", "dir", "not a regular file");
    assert_answer(w, "write_file", "dir", "not a regular file");
    assert_answer(w, "list_files", "a.txt", "is not a directory, or");
    args = jv_object();
    jv_set_adopt(args, "path", jv_string_n("a.txt\0/../..", 12));
    text = call_with(w, "read_file", args, &outcome);
    assert_int_equal(outcome, TOOL_ERROR);
    free(text);
}

/* Swaps root/dir for a link to the outside and back, as fast as it can. */
struct swapper {
    const struct world *w;
    atomic_bool stop;
    long swaps;
};

static void *swap_for_ever(void *ctx)
{
    struct swapper *s = ctx;
    char dir[256], trap[256];

    path_in(dir, s->w->root, "dir");
    path_in(trap, s->w->root, "trap");
    while (!atomic_load(&s->stop)) {
        if (renameat2(AT_FDCWD, dir, AT_FDCWD, trap, RENAME_EXCHANGE) == 0)
            s->swaps++;
    }
    return NULL;
}

static void a_parent_swapped_for_a_link_lets_nothing_out(void **state)
{
    struct world *w = *state;
    struct swapper s = {.w = w};
    char trap[256], path[256];
    long read_inside = 0, refused = 0, written = 0;
    pthread_t thread;
    struct stat st;

    path_in(trap, w->root, "dir");
    temp_dir_put(trap, "secret", "inner", 5);
    path_in(trap, w->root, "trap");
    assert_int_equal(symlink(w->outside, trap), 0);
    assert_int_equal(pthread_create(&thread, NULL, swap_for_ever, &s), 0);
    /* Until both sides of the race were met often enough. */
    for (long i = 0; i < 200000 && (i < 6000 || read_inside < 50 || refused < 50 || written < 20);
         i++) {
        enum tool_outcome outcome;
        char *text = call_path(w, "read_file", "dir/secret", &outcome);

        if (strstr(text, SECRET))
            fail_msg("read %ld escaped", i);
        read_inside += outcome == TOOL_OK;
        refused += outcome == TOOL_ERROR;
        free(text);
        if (i % 8)
            continue;
        text = call_path(w, "write_file", "dir/escaped", &outcome);
        written += outcome == TOOL_OK;
        free(text);
        text = call_path(w, "list_files", "dir", &outcome);
        assert_true(outcome == TOOL_ERROR || strstr(text, "b.txt"));
        free(text);
    }
    atomic_store(&s.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    print_message("%ld swaps; read %ld, refused %ld, written %ld\n", s.swaps, read_inside, refused,
                  written);
    assert_true(read_inside > 0 && refused > 0 && written > 0 && s.swaps > 1000);
    path_in(path, w->outside, "escaped");
    assert_int_equal(stat(path, &st), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(stat(w->outside, &st), 0);
    assert_int_equal(st.st_nlink, 2); /* no directory was made there either */
}

/* A disk that is full at the n-th write, or breaks at a sync. */
static int full_disk(void *ctx, int fd, const void *bytes, size_t n)
{
    (void)ctx;
    (void)fd;
    (void)bytes;
    (void)n;
    return ENOSPC;
}

static void a_failed_write_leaves_the_old_file(void **state)
{
    struct world *w = *state;
    struct seams seams = *seams_real();
    struct tool_registry_options o = {.root = w->root, .seams = &seams};

    seams.file.write_all = full_disk;
    tool_registry_free(w->r);
    assert_ok(tool_registry_new(&o, &w->r, why));
    assert_answer(w, "write_file", "a.txt", "error");
    assert_answer(w, "read_file", "a.txt", "hello");
    assert_answer(w, "list_files", ".",
                  "{\"files\":[{\"name\":\"a.txt\",\"type\":\"file\",\"size\":5},"
                  "{\"name\":\"dir\",\"type\":\"directory\"}],\"more\":false}");
}

/* How many names there are below dir, folders too. */
static int n_below(const char *dir)
{
    struct dirent *e;
    DIR *d = opendir(dir);
    int n = 0;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        char path[256];

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        n++;
        path_in(path, dir, e->d_name);
        if (e->d_type == DT_DIR)
            n += n_below(path);
    }
    closedir(d);
    return n;
}

static void nothing_is_made_for_a_refused_path(void **state)
{
    char wide[300], deep[5000];
    const char *const paths[] = {"new/../a.txt", "new/more/../../../x",
                                 "new/",         "new/more/..",
                                 "new/more/.",   wide,
                                 deep,           "/new/x",
                                 "a.txt/new/x",  "dir/new/../x"};
    struct world *w = *state;
    int before = n_below(w->root);

    (void)snprintf(wide, sizeof(wide), "new/%0260d/x", 0);
    (void)snprintf(deep, sizeof(deep), "new/%04900d", 0);
    for (size_t i = 0; i < sizeof(deep) - 8; i++)
        if (i % 100 == 50 && deep[i] == '0')
            deep[i] = '/';
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_answer(w, "write_file", paths[i], "error");
        assert_int_equal(n_below(w->root), before);
    }
}

static void a_failed_write_leaves_no_folders(void **state)
{
    struct world *w = *state;
    struct seams seams = *seams_real();
    struct tool_registry_options o = {.root = w->root, .seams = &seams};
    int before = n_below(w->root);

    seams.file.write_all = full_disk;
    tool_registry_free(w->r);
    assert_ok(tool_registry_new(&o, &w->r, why));
    assert_answer(w, "write_file", "new/more/./last/x.txt", "error");
    assert_answer(w, "write_file", "dir/new/x.txt", "error");
    assert_int_equal(n_below(w->root), before);
}

static int die_writing(void *ctx, int fd, const void *bytes, size_t n)
{
    (void)ctx;
    (void)fd;
    (void)bytes;
    (void)n;
    kill(getpid(), SIGKILL);
    return 0;
}

/* Killed in the midst of a write: the next start removes what it left, and nothing else. */
static void what_a_killed_write_left_is_swept(void **state)
{
    static const char *const others[] = {".troupe-0123456789abcdef.part2", ".troupe-0123.part",
                                         ".0123456789abcdef.part",
                                         "x.troupe-0123456789abcdef.part"};
    struct world *w = *state;
    struct tool_registry_options o = {.root = w->root, .seams = seams_real()};
    struct error err = ERROR_INIT;
    char path[256], held[PART_FILE_NAME];
    int before, how, root, fd = -1;

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        temp_dir_put(w->root, others[i], "mine", 4);
    path_in(path, w->root, ".troupe-00000000000000aa.part");
    assert_int_equal(symlink("a.txt", path), 0);
    path_in(path, w->root, ".troupe-00000000000000bb.part");
    assert_int_equal(mkdir(path, 0755), 0);
    before = n_below(w->root);
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();

        if (child == 0) {
            struct seams seams = *seams_real();
            enum tool_outcome outcome;

            seams.file.write_all = die_writing;
            o.seams = &seams;
            tool_registry_free(w->r);
            if (tool_registry_new(&o, &w->r, &err))
                _exit(1);
            free(call_path(w, "write_file", i == 1 ? "dir/c.txt" : "c.txt", &outcome));
            _exit(2);
        }
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how));
    }
    assert_int_equal(n_below(w->root), before + 1); /* each start swept what the one before left */
    root = open(w->root, O_RDONLY | O_DIRECTORY);
    assert_int_equal(part_file_open(seams_real(), root, held, &fd, &err), STATUS_OK);
    tool_registry_free(w->r);
    assert_int_equal(tool_registry_new(&o, &w->r, &err), STATUS_OK);
    assert_int_equal(n_below(w->root), before + 1); /* ours alone, which somebody holds */
    path_in(path, w->root, held);
    assert_int_equal(access(path, F_OK), 0);
    close(fd);
    close(root);
    tool_registry_free(w->r);
    assert_int_equal(tool_registry_new(&o, &w->r, &err), STATUS_OK);
    assert_int_equal(n_below(w->root), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define FILES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        FILES(files_are_read_written_and_listed),
        FILES(modes_are_kept),
        FILES(long_files_come_in_parts),
        FILES(paths_do_not_lead_out),
        FILES(only_regular_files_are_read),
        FILES(a_parent_swapped_for_a_link_lets_nothing_out),
        FILES(a_failed_write_leaves_the_old_file),
        FILES(nothing_is_made_for_a_refused_path),
        FILES(a_failed_write_leaves_no_folders),
        FILES(what_a_killed_write_left_is_swept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
