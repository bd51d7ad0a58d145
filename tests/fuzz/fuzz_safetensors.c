/* fuzz_safetensors.c - any bytes as a safetensors file: an error, or tensors inside the file.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "models/formats/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Reads every byte of the tensors, so that the sanitizer finds any outside the file. */
static void read_all(const struct tensor_file *st)
{
    volatile uint8_t sum = 0;
    float first;

    for (int32_t i = 0; i < tensor_file_count(st); i++) {
        const struct file_tensor *t = tensor_file_at(st, i);
        const uint8_t *data = t->data;

        for (size_t k = 0; k < t->bytes; k++)
            sum = (uint8_t)(sum + data[k]);
        if (t->dtype != DTYPE_N && t->n_elements > 0)
            file_tensor_to_f32(t, t->n_elements - 1, 1, &first);
        if (tensor_file_find(st, t->name) != t)
            __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct tensor_file *st = NULL;
    struct error err = ERROR_INIT;

    if (safetensors_from_memory("fuzz", bytes, n, &st, &err) == STATUS_OK)
        read_all(st);
    else if (err.message[0] == '\0')
        __builtin_trap(); /* an error without a message */
    tensor_file_close(st);
    return 0;
}
