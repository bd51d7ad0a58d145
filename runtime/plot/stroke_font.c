/* stroke_font.c - the letters, drawn for this program.
 *
 * A letter is its width and its strokes, apart by blanks. A stroke is a list of points, two bytes
 * each: x in units, a hexadecimal digit; y as a letter, 'e' the base line, 'o' the height of small
 * letters, 's' that of capitals, 'a' the lowest. "~" before it makes it a curve: quadratic pieces
 * whose corners are the inner points, meeting half way between them (a uniform B-spline). 20 units
 * are an em.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/plot/stroke_font.h"

#include <math.h>
#include <string.h>

#define EM     20.
#define GAP    3.3 /* between letters */
#define FIRST  '!'
#define LAST   '~'
#define BLANK  3.2
#define PIECES 6 /* lines a quadratic piece */

static const struct letter {
    double width;
    const char *strokes;
} letters[LAST - FIRST + 1] = {
    {0, "0s0i 0e0f"},                               /* ! */
    {3, "0s0o 3s3o"},                               /* " */
    {9, "2e4s 6e8s 0j9j 1o9o"},                     /* # */
    {8, "~8p8s4s0s0l8l8e4e0e0h 4t4d"},              /* $ */
    {13, "bs2e ~3s0s0l6l6s3s ~al7l7ededlal"},       /* % */
    {10, "~ae4l1p2s6s7o4m0k0e6e9j"},                /* & */
    {0, "0s0o"},                                    /* ' */
    {3, "~3t0o0g3b"},                               /* ( */
    {3, "~0t3o3g0b"},                               /* ) */
    {6, "3s3m 0q6n 6q0n"},                          /* * */
    {8, "0k8k 4g4o"},                               /* + */
    {1, "1f0c"},                                    /* , */
    {5, "0j5j"},                                    /* - */
    {0, "0e0f"},                                    /* . */
    {5, "0d5s"},                                    /* / */
    {8, "~4s0s0l0e4e8e8l8s4s"},                     /* 0 */
    {8, "1p4s4e"},                                  /* 1 */
    {8, "~0o0s4s8s8o ~8o8l0e 0e8e"},                /* 2 */
    {8, "~0p1s4s8s8l3l ~3l8l8e4e1e0h"},             /* 3 */
    {8, "6e6s0i8i"},                                /* 4 */
    {8, "7s1s0l ~0l1n4n8n8e4e1e0h"},                /* 5 */
    {8, "~7q6s4s0s0i ~0i0n8n8e0e0i"},               /* 6 */
    {8, "0s8s3e"},                                  /* 7 */
    {8, "~4s1s1l7l7s4s ~4l0l0e8e8l4l"},             /* 8 */
    {8, "~8o8s0s0j8j8o ~8o8e4e2e1g"},               /* 9 */
    {0, "0e0f 0n0o"},                               /* : */
    {1, "1f0c 1n1o"},                               /* ; */
    {7, "7o0j7e"},                                  /* < */
    {8, "0m8m 0h8h"},                               /* = */
    {7, "0o7j0e"},                                  /* > */
    {7, "~0p0s3s7s7o ~7o7l3l3i 3e3f"},              /* ? */
    {12, "~8l8o4o4i8i8l ~8l8icics6s0s0e6e9e"},      /* @ */
    {10, "0e5sae 2j8j"},                            /* A */
    {9, "0e0s4s ~4s8s8l4l 4l0l ~4l9l9e4e 4e0e"},    /* B */
    {10, "~ap9s5s0s0l0e5e9eah"},                    /* C */
    {10, "0e0s4s ~4sasalae4e 4e0e"},                /* D */
    {8, "8s0s0e8e 0l7l"},                           /* E */
    {8, "8s0s0e 0l7l"},                             /* F */
    {10, "~ap9s5s0s0l0e5eaeal al6l"},               /* G */
    {10, "0s0e asae 0lal"},                         /* H */
    {0, "0s0e"},                                    /* I */
    {6, "6s6i ~6i6e3e0e0i"},                        /* J */
    {9, "0s0e 9s0i 3l9e"},                          /* K */
    {8, "0s0e8e"},                                  /* L */
    {12, "0e0s6gcsce"},                             /* M */
    {10, "0e0saeas"},                               /* N */
    {12, "~6s0s0l0e6ececlcs6s"},                    /* O */
    {9, "0e0s4s ~4s9s9k4k 4k0k"},                   /* P */
    {12, "~6s0s0l0e6ececlcs6s 8hcd"},               /* Q */
    {9, "0e0s4s ~4s9s9k4k 4k0k 5k9e"},              /* R */
    {9, "~9p8s4s0s0l9l9e5e1e0h"},                   /* S */
    {10, "0sas 5s5e"},                              /* T */
    {10, "0s0j ~0j0eaeaj ajas"},                    /* U */
    {10, "0s5eas"},                                 /* V */
    {14, "0s3e7sbees"},                             /* W */
    {9, "0s9e 9s0e"},                               /* X */
    {10, "0s5las 5l5e"},                            /* Y */
    {9, "0s9s0e9e"},                                /* Z */
    {3, "3t0t0b3b"},                                /* [ */
    {5, "0s5d"},                                    /* \ */
    {3, "0t3t3b0b"},                                /* ] */
    {6, "0n3s6n"},                                  /* ^ */
    {8, "0c8c"},                                    /* _ */
    {2, "0s2p"},                                    /* ` */
    {8, "~8j8o4o0o0j0e4e8e8j 8o8e"},                /* a */
    {8, "0s0e ~0j0o4o8o8j8e4e0e0j"},                /* b */
    {7, "~7m6o4o0o0j0e4e6e7g"},                     /* c */
    {8, "8s8e ~8j8o4o0o0j0e4e8e8j"},                /* d */
    {8, "0j8j ~8j8o4o0o0j0e4e7e8g"},                /* e */
    {5, "2e2p ~2p2s5s 0o5o"},                       /* f */
    {8, "~8j8o4o0o0j0e4e8e8j 8o8d ~8d8a4a1a0b"},    /* g */
    {7, "0s0e ~0j0o3o7o7j 7j7e"},                   /* h */
    {0, "0o0e 0r0s"},                               /* i */
    {2, "2o2c ~2c2a0a 2r2s"},                       /* j */
    {7, "0s0e 7o0i 3k7e"},                          /* k */
    {0, "0s0e"},                                    /* l */
    {12, "0o0e ~0j0o3o6o6j 6j6e ~6j6o9ococj cjce"}, /* m */
    {7, "0o0e ~0j0o3o7o7j 7j7e"},                   /* n */
    {8, "~4o0o0j0e4e8e8j8o4o"},                     /* o */
    {8, "0o0a ~0j0o4o8o8j8e4e0e0j"},                /* p */
    {8, "8o8a ~8j8o4o0o0j0e4e8e8j"},                /* q */
    {5, "0o0e ~0k1o5o"},                            /* r */
    {7, "~7m6o4o0o0j7j7e3e1e0g"},                   /* s */
    {5, "2r2h ~2h2e5e 0o5o"},                       /* t */
    {7, "0o0j ~0j0e4e7e7j 7o7e"},                   /* u */
    {8, "0o4e8o"},                                  /* v */
    {12, "0o3e6o9eco"},                             /* w */
    {7, "0o7e 7o0e"},                               /* x */
    {8, "0o4e 8o2a"},                               /* y */
    {7, "0o7o0e7e"},                                /* z */
    {4, "~4t2t2k0k ~0k2k2b4b"},                     /* { */
    {0, "0t0b"},                                    /* | */
    {4, "~0t2t2k4k ~4k2k2b0b"},                     /* } */
    {8, "~0j1m4k7i8l"},                             /* ~ */
};

/* A box, for characters outside ASCII. */
static const struct letter unknown = {7, "0e0s7s7e0e"};

/* NULL for a blank and for the later bytes of a character. */
static const struct letter *letter_of(char c)
{
    if (c >= FIRST && c <= LAST)
        return &letters[c - FIRST];
    return ((unsigned char)c & 0xc0) == 0xc0 ? &unknown : NULL;
}

static double advance_of(char c)
{
    const struct letter *l = letter_of(c);

    return l ? l->width + GAP : ((unsigned char)c & 0x80) ? 0 : BLANK + GAP;
}

double stroke_font_width(const char *utf8, double size)
{
    double units = 0;

    for (; *utf8; utf8++)
        units += advance_of(*utf8);
    return units * size / EM;
}

struct pen {
    double x, y, scale;
    stroke_font_line *line;
    void *ctx;
};

struct spot {
    double x, y;
};

static struct spot spot_of(const char *at)
{
    int32_t x = at[0] <= '9' ? at[0] - '0' : at[0] - 'a' + 10;

    return (struct spot){x, at[1] - 'e'};
}

static struct spot between(struct spot a, struct spot b, double t)
{
    return (struct spot){a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t};
}

static void put_line(const struct pen *p, struct spot a, struct spot b)
{
    p->line(p->ctx, p->x + a.x * p->scale, p->y - a.y * p->scale, p->x + b.x * p->scale,
            p->y - b.y * p->scale);
}

static void put_piece(const struct pen *p, struct spot from, struct spot corner, struct spot to)
{
    struct spot last = from;

    for (int32_t i = 1; i <= PIECES; i++) {
        double t = (double)i / PIECES;
        struct spot next = between(between(from, corner, t), between(corner, to, t), t);

        put_line(p, last, next);
        last = next;
    }
}

/* One stroke of n points. */
static void put_stroke(const struct pen *p, const char *points, int32_t n, bool curve)
{
    struct spot last = spot_of(points);

    for (int32_t i = 1; i < n; i++) {
        struct spot at = spot_of(points + 2 * i), next;

        if (!curve) {
            put_line(p, last, at);
            last = at;
        } else if (i < n - 1) {
            next = spot_of(points + 2 * (i + 1));
            next = i == n - 2 ? next : between(at, next, .5);
            put_piece(p, last, at, next);
            last = next;
        }
    }
}

static void put_letter(const struct pen *p, const char *strokes)
{
    while (*strokes) {
        bool curve = *strokes == '~';
        int32_t length;

        strokes += curve;
        length = (int32_t)strcspn(strokes, " ");
        put_stroke(p, strokes, length / 2, curve);
        strokes += length;
        strokes += *strokes == ' ';
    }
}

void stroke_font_draw(const char *utf8, double x, double y, double size, stroke_font_line *line,
                      void *ctx)
{
    struct pen p = {.x = x, .y = y, .scale = size / EM, .line = line, .ctx = ctx};

    for (; *utf8; utf8++) {
        const struct letter *l = letter_of(*utf8);

        if (l)
            put_letter(&p, l->strokes);
        p.x += advance_of(*utf8) * p.scale;
    }
}
