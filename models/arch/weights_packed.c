/* weights_packed.c - see weights_packed.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/arch/weights_packed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/file_open.h"
#include "runtime/base/mapped_file.h"
#include "runtime/base/memory.h"
#include "runtime/base/str.h"

#define PACKED_LAYOUT                                                                              \
    1 /* of panels, of every type and instruction set: a change needs a new number */
#define HEADER_BYTES 4096 /* a page: panels stay aligned */

/* The beginning of either file; zeros up to HEADER_BYTES in HASH.panels. */
struct packed_header {
    char magic[8];
    uint32_t layout;
    uint32_t panels_crc;
    uint64_t panels_bytes;
    struct sha256 weights;
    uint32_t zero;
    uint32_t crc; /* of all before it */
};

static const char panels_magic[8] = "TRPanel", id_magic[8] = "TRPackId";

static uint32_t header_crc(const struct packed_header *h)
{
    return crc32c(0, h, offsetof(struct packed_header, crc));
}

/* What decides the panels' bytes besides the values. */
static void add_kind(const struct weights *w, struct hasher *h)
{
    const uint32_t layout = PACKED_LAYOUT;

    hasher_add(h, &layout, sizeof(layout));
    hasher_add(h, w->backend->name, strlen(w->backend->name) + 1);
}

static void put_path(const struct weights_cache *cache, const struct sha256 *key, const char *end,
                     struct str *out)
{
    char hex[65];

    sha256_hex(key, hex);
    str_printf(out, "%s/%.32s.%s", cache->folder, hex, end);
}

static void panels_path(const struct weights *w, const struct weights_cache *cache, struct str *out)
{
    struct hasher *h = hasher_new();
    struct sha256 key;

    add_kind(w, h);
    hasher_add(h, &w->hash, sizeof(w->hash));
    key = hasher_finish(h);
    put_path(cache, &key, "panels", out);
}

/* False: the weights are not in files. */
static bool id_path(const struct weights *w, const struct weights_cache *cache, struct str *out)
{
    struct hasher *h = hasher_new();
    bool in_files = tensor_file_identify(w->checkpoint, h);
    struct sha256 key;

    for (int32_t i = 0; i < w->n; i++) {
        const struct matrix *m = &w->tensor[i].m;
        int32_t shape[3] = {m->n_out, m->n_in, (int32_t)m->dtype};

        hasher_add(h, w->tensor[i].name, strlen(w->tensor[i].name) + 1);
        hasher_add(h, shape, sizeof(shape));
    }
    key = hasher_finish(h);
    if (in_files)
        put_path(cache, &key, "id", out);
    return in_files;
}

/* A whole header of this layout in a file of ours. */
static bool read_header(const struct mapped_file *f, const char magic[8], struct packed_header *out)
{
    if (!mapped_file_is_private(f) || mapped_file_size(f) < sizeof(*out))
        return false;
    memcpy(out, mapped_file_bytes(f), sizeof(*out));
    return memcmp(out->magic, magic, sizeof(out->magic)) == 0 && out->crc == header_crc(out) &&
           out->layout == PACKED_LAYOUT && !mapped_file_is_cut(f);
}

static bool find_hash(struct weights *w, const struct weights_cache *cache)
{
    struct str path = STR_INIT;
    struct error ignored = ERROR_INIT;
    struct mapped_file *f = NULL;
    struct packed_header h;

    if (id_path(w, cache, &path) && !mapped_file_open(str_cstr(&path), &f, &ignored) &&
        read_header(f, id_magic, &h)) {
        w->hash = h.weights;
        w->hashed = true;
    }
    mapped_file_close(f);
    str_deinit(&path);
    return w->hashed;
}

static bool panels_are_whole(const struct weights *w, const struct mapped_file *f)
{
    const char *panels = (const char *)mapped_file_bytes(f) + HEADER_BYTES;
    struct packed_header h;

    return read_header(f, panels_magic, &h) && h.panels_bytes == w->panels_bytes &&
           mapped_file_size(f) == HEADER_BYTES + w->panels_bytes &&
           memcmp(&h.weights, &w->hash, sizeof(w->hash)) == 0 &&
           h.panels_crc == crc32c(0, panels, w->panels_bytes) && !mapped_file_is_cut(f);
}

bool weights_packed_find(struct weights *w, const struct weights_cache *cache)
{
    struct str path = STR_INIT;
    struct error ignored = ERROR_INIT;
    struct mapped_file *f = NULL;

    if (!find_hash(w, cache))
        return false;
    panels_path(w, cache, &path);
    if (!mapped_file_open(str_cstr(&path), &f, &ignored) && panels_are_whole(w, f))
        w->packed = f;
    else
        mapped_file_close(f);
    str_deinit(&path);
    return true;
}

const void *weights_packed_panels(const struct weights *w)
{
    return (const char *)mapped_file_bytes(w->packed) + HEADER_BYTES;
}

/* ---- writing */

/* Beside `path`, then renamed: readers see a whole file or none, and of two writers the last. */
static void write_file(const struct weights_cache *cache, const char *path, const void *head,
                       size_t n_head, const void *bytes, size_t n)
{
    const struct file_seam *file = &cache->seams->file;
    struct error ignored = ERROR_INIT;
    struct str temporary = STR_INIT;
    int fd = -1, failed;

    str_printf(&temporary, "%s.%ld", path, (long)getpid());
    (void)unlink(str_cstr(&temporary)); /* of an earlier process that was killed */
    if (file_open(str_cstr(&temporary), O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, NULL, &ignored)) {
        str_deinit(&temporary);
        return;
    }
    failed = file->write_all(file->ctx, fd, head, n_head);
    if (!failed && n > 0)
        failed = file->write_all(file->ctx, fd, bytes, n);
    if (close(fd) || failed || file->rename(file->ctx, str_cstr(&temporary), path))
        (void)unlink(str_cstr(&temporary));
    str_deinit(&temporary);
}

void weights_packed_store(const struct weights *w, const struct weights_cache *cache)
{
    struct packed_header *h = xcalloc(1, HEADER_BYTES);
    struct error ignored = ERROR_INIT;
    struct str id = STR_INIT, panels = STR_INIT;

    if (id_path(w, cache, &id) && !dir_make(cache->folder, &ignored)) {
        memcpy(h->magic, panels_magic, sizeof(h->magic));
        h->layout = PACKED_LAYOUT;
        h->panels_bytes = w->panels_bytes;
        h->panels_crc = crc32c(0, w->panels, w->panels_bytes);
        h->weights = w->hash;
        h->crc = header_crc(h);
        panels_path(w, cache, &panels);
        write_file(cache, str_cstr(&panels), h, HEADER_BYTES, w->panels, w->panels_bytes);
        memcpy(h->magic, id_magic, sizeof(h->magic));
        h->crc = header_crc(h);
        write_file(cache, str_cstr(&id), h, sizeof(*h), NULL, 0);
    }
    str_deinit(&id);
    str_deinit(&panels);
    free(h);
}
