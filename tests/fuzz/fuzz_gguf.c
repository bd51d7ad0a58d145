/* fuzz_gguf.c - any bytes as a GGUF file: an error, or values, a config and tensors inside the
 * file. SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "models/formats/gguf_config.h"
#include "models/formats/gguf_tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Reads every byte, so that the sanitizer finds any outside the file. */
static uint8_t sum_of(const void *data, size_t n)
{
    uint8_t sum = 0;

    for (size_t k = 0; k < n; k++)
        sum = (uint8_t)(sum + ((const uint8_t *)data)[k]);
    return sum;
}

static void read_values(const struct gguf *g)
{
    volatile uint8_t sum = 0;
    volatile double total = 0;

    for (int32_t i = 0; i < gguf_n_values(g); i++) {
        const struct gguf_value *v = gguf_value_at(g, i);
        const char *text;
        size_t at = 0, n;

        while (gguf_next_text(v, &at, &text, &n))
            sum = (uint8_t)(sum + sum_of(text, n));
        if (v->element != GGUF_STRING && v->count > 0)
            total = total + gguf_real_at(v, v->count - 1) + (double)gguf_int_at(v, v->count - 1);
        if (gguf_find(g, v->key) != v)
            __builtin_trap();
    }
}

static void read_tensors(const struct tensor_file *f)
{
    volatile uint8_t sum = 0;

    for (int32_t i = 0; i < tensor_file_count(f); i++) {
        const struct file_tensor *t = tensor_file_at(f, i);
        float block[256];

        sum = (uint8_t)(sum + sum_of(t->data, t->bytes));
        if (t->dtype != DTYPE_N) {
            const int64_t size = dtype_info(t->dtype)->block;

            file_tensor_to_f32(t, t->n_elements - size, size, block);
        }
        if (tensor_file_find(f, t->name) != t)
            __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct gguf *g = NULL;
    struct tensor_file *tensors = NULL;
    struct model_config c;
    struct error err = ERROR_INIT;
    enum status st = gguf_from_memory("fuzz", bytes, n, &g, &err);

    if (st == STATUS_OK) {
        read_values(g);
        st = gguf_config(g, &c, &err);
    }
    if (st == STATUS_OK)
        st = gguf_tensors(g, &c, &tensors, &err);
    if (st == STATUS_OK)
        read_tensors(tensors);
    else if (err.message[0] == '\0')
        __builtin_trap(); /* an error without a message */
    tensor_file_close(tensors);
    gguf_unref(g);
    return 0;
}
