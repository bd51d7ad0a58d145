/* seams.c - the seams of the operating system, and functions that use seams.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/seams.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/memory.h"

static int64_t real_wall_ms(void *ctx)
{
    struct timespec ts;

    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t real_mono_us(void *ctx)
{
    struct timespec ts;

    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void real_fill(void *ctx, void *bytes, size_t n)
{
    unsigned char *p = bytes;

    (void)ctx;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);

        if (got > 0) {
            p += got;
            n -= (size_t)got;
        } else if (errno != EINTR) {
            /* A kernel without random numbers: no token or id would be safe. */
            static const char line[] = "troupe: the system has no random numbers\n";

            (void)!write(STDERR_FILENO, line, sizeof(line) - 1);
            _exit(1);
        }
    }
}

static int real_write_all(void *ctx, int fd, const void *bytes, size_t n)
{
    const char *p = bytes;

    (void)ctx;
    while (n > 0) {
        ssize_t done = write(fd, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return errno;
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

static int real_sync(void *ctx, int fd)
{
    (void)ctx;
    return fsync(fd) ? errno : 0;
}

static int real_rename(void *ctx, const char *from, const char *to)
{
    (void)ctx;
    return rename(from, to) ? errno : 0;
}

const struct seams *seams_real(void)
{
    static const struct seams real = {
        .clock = {NULL, real_wall_ms, real_mono_us},
        .random = {NULL, real_fill},
        .file = {NULL, real_write_all, real_sync, real_rename},
    };

    return &real;
}

int64_t seams_wall_ms(const struct seams *s)
{
    return s->clock.wall_ms(s->clock.ctx);
}

int64_t seams_mono_us(const struct seams *s)
{
    return s->clock.mono_us(s->clock.ctx);
}

uint64_t seams_random_u64(const struct seams *s)
{
    uint64_t v;

    s->random.fill(s->random.ctx, &v, sizeof(v));
    return v;
}

/* RFC 9562, 5.7: 48 bits of milliseconds, version, 12 random bits, variant, 62 more. */
void seams_uuid7(const struct seams *s, char out[37])
{
    static const char hex[] = "0123456789abcdef";
    uint64_t ms = (uint64_t)seams_wall_ms(s);
    uint8_t b[16];
    size_t at = 0;

    s->random.fill(s->random.ctx, b, sizeof(b));
    for (size_t i = 0; i < 6; i++)
        b[i] = (uint8_t)(ms >> (40 - 8 * i));
    b[6] = (uint8_t)(0x70 | (b[6] & 0x0f));
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
    for (size_t i = 0; i < sizeof(b); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        out[at++] = hex[b[i] >> 4];
        out[at++] = hex[b[i] & 15];
    }
    out[at] = '\0';
}
