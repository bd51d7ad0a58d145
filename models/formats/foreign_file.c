/* foreign_file.c - see foreign_file.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/foreign_file.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/str.h"

#define SAFE_HINT "get the model as safetensors or GGUF; a pickle can run code and is never opened"

static const struct {
    const char *begins; /* from byte `at` */
    size_t n, at;
    const char *format; /* NULL, or not an error where this format is wanted */
    const char *what, *hint;
} kinds[] = {
    {"version https://git-lfs", 23, 0, NULL, "a Git LFS pointer, not the weights",
     "`git lfs pull` in the model's repository fetches the file"},
    {"PK\003\004", 4, 0, NULL, "a zip archive, as PyTorch's pickles are", SAFE_HINT},
    {"\x80\x02", 2, 0, NULL, "a Python pickle", SAFE_HINT},
    {"\x80\x04", 2, 0, NULL, "a Python pickle", SAFE_HINT},
    {"<!DOCTYPE", 9, 0, NULL, "a web page", "the download failed; fetch the file again"},
    {"<html", 5, 0, NULL, "a web page", "the download failed; fetch the file again"},
    {"GGUF", 4, 0, "GGUF", "a GGUF file", "give the file itself as the model"},
    {"{\"", 2, 8, "safetensors", "a safetensors file",
     "give the folder that it is in as the model"},
    {"ggjt", 4, 0, NULL, "a file of an older ggml format", "convert the model to GGUF again"},
    {"tjgg", 4, 0, NULL, "a file of an older ggml format", "convert the model to GGUF again"},
};

enum status foreign_file_check(const char *name, const void *bytes, size_t n, const char *want,
                               struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (n < kinds[i].at + kinds[i].n ||
            memcmp((const char *)bytes + kinds[i].at, kinds[i].begins, kinds[i].n) != 0)
            continue;
        if (kinds[i].format && strcmp(kinds[i].format, want) == 0)
            return STATUS_OK;
        (void)error_set(err, STATUS_INVALID, "%s is %s; expected %s", name, kinds[i].what, want);
        error_hint(err, "%s", kinds[i].hint);
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

enum status foreign_folder_check(const char *dir, struct error *err)
{
    static const char *const names[] = {"pytorch_model.bin",   "pytorch_model.bin.index.json",
                                        "consolidated.00.pth", "model.pt",
                                        "tf_model.h5",         "flax_model.msgpack"};
    struct str path = STR_INIT;
    enum status st = STATUS_OK;

    for (size_t i = 0; i < ARRAY_LEN(names) && st == STATUS_OK; i++) {
        str_clear(&path);
        str_printf(&path, "%s/%s", dir, names[i]);
        if (file_exists(str_cstr(&path))) {
            st = error_set(err, STATUS_UNSUPPORTED, "%s has its weights in %s, which is not read",
                           dir, names[i]);
            error_hint(err, SAFE_HINT);
        }
    }
    str_deinit(&path);
    return st;
}
