/* rng.c - Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as
 * easy as 1, 2, 3", SC 2011, section 3.3. The same words as Random123 and cuRAND.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/rng.h"

/* Multipliers and Weyl constants of the paper. */
#define PHILOX_M0     0xD2511F53U
#define PHILOX_M1     0xCD9E8D57U
#define PHILOX_W0     0x9E3779B9U
#define PHILOX_W1     0xBB67AE85U
#define PHILOX_ROUNDS 10

/* Counter words that no draw uses (draws count up from 0), so that a derived seed
 * never equals the bits of a draw under the same key. */
#define DERIVE_C2 0x64657269U
#define DERIVE_C3 0xFFFFFFFFU

struct rng_block rng_philox(uint64_t seed, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3)
{
    uint32_t k0 = (uint32_t)seed;
    uint32_t k1 = (uint32_t)(seed >> 32);

    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uint64_t p0 = (uint64_t)PHILOX_M0 * c0;
        uint64_t p1 = (uint64_t)PHILOX_M1 * c2;

        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    return (struct rng_block){{c0, c1, c2, c3}};
}

float rng_unit_float(uint32_t word)
{
    return (float)(word >> 8) * 0x1p-24F;
}

double rng_unit_double(uint32_t hi, uint32_t lo)
{
    uint64_t bits = ((uint64_t)hi << 32 | lo) >> 11;

    return (double)bits * 0x1p-53;
}

uint32_t rng_below(uint32_t word, uint32_t n)
{
    return (uint32_t)(((uint64_t)word * n) >> 32);
}

uint64_t rng_derive(uint64_t seed, uint64_t stream)
{
    struct rng_block b =
        rng_philox(seed, (uint32_t)stream, (uint32_t)(stream >> 32), DERIVE_C2, DERIVE_C3);

    return (uint64_t)b.word[1] << 32 | b.word[0];
}
