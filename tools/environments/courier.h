/* courier.h - the internals of the courier environments, used only by their files.
 *
 * A grid of 16 x 16 cells, x to the east, y to the south; walls clip. The courier begins at (0,0)
 * with all parcels on board. A step is one leg: go to a cell and drop a parcel there. A move does
 * not report where it ended, so an error carries into all later legs until where() is called; the
 * budget of calls is too small to call it on every leg.
 * Source: Troupe's "OffCourse" benchmark, E2.
 *
 * `at` is the position that the model believes in: the moves that it requested, added to (0,0) or
 * to the last answer of where(). The observation of every leg contains it, since the context
 * restarts there. It depends only on the model's own calls and their answers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_ENVIRONMENTS_COURIER_H
#define TROUPE_TOOLS_ENVIRONMENTS_COURIER_H

#include "tools/environments/env_core.h"

#define COURIER_SIDE        16
#define COURIER_CELLS       (COURIER_SIDE * COURIER_SIDE)
#define COURIER_STRIDE      4  /* cells of the longest move */
#define COURIER_NAMES       10 /* parcels are named p0 .. p9; a name means its latest parcel */
#define COURIER_GUSTY_IN    5  /* every fifth leg is gusty */
#define COURIER_FIXED_CALLS 2  /* of a leg besides its moves: drop, next */
/* Eight moves, drop and next are ten; the rest is for looks and repairs. */
#define COURIER_MAX_CALLS 16

/* Indices into the tools. */
enum courier_tool {
    COURIER_NEXT,
    COURIER_MOVE,
    COURIER_WHERE,
    COURIER_DROP,
    COURIER_PICKUP,
    COURIER_N_TOOLS
};
enum courier_dir { COURIER_NORTH, COURIER_EAST, COURIER_SOUTH, COURIER_WEST, COURIER_N_DIRS };

struct courier_rules {
    const char *name;
    int32_t id;             /* in snapshots */
    double noise;           /* default a move; with a cue, on gusty legs */
    double calm;            /* the rate on other legs as a share of that; 1 without a cue */
    int32_t budget_percent; /* calls of the episode as a share of the reference */
    bool cue;               /* legs show their weather */
    /* Shares of the mixture's trained decisions that look, on long legs and on others. */
    double looks_long, looks_short;
};
extern const struct courier_rules courier_rules_plain;

struct courier_cell {
    uint8_t x, y;
};
struct courier_leg {
    struct courier_cell to;
    uint8_t parcel; /* 0 .. 9 */
    bool gusty;
};

struct courier_step {
    int32_t tries[COURIER_N_TOOLS]; /* earlier calls on each channel: keys the faults */
    uint8_t planned;                /* moves that the leg needs from its believed start */
    bool dropped;                   /* this leg's parcel lies somewhere */
    bool looked;                    /* asked where since the last move, answered or not */
    bool differed;                  /* where() has shown another cell than the believed one */
    bool refused;                   /* an ablation refused a call */
};

struct courier {
    struct env base;
    const struct courier_rules *rules;
    struct courier_leg leg;
    struct courier_cell is, at;    /* the true cell; the cell that the model believes in */
    int32_t reference_left;        /* calls that the legs after this one need */
    int32_t misplaced;             /* parcels of ended legs that are not in their cells */
    int32_t misplaced_at_start;    /* when this leg began */
    int32_t latest[COURIER_NAMES]; /* the leg whose parcel has the name; -1: none yet */
    struct courier_cell *lies;     /* (horizon) where a parcel was dropped */
    uint8_t *down;                 /* (horizon) 1: it lies there; 0: on board */
    struct courier_step now;
};

enum courier_answer {
    COURIER_SAY_LEG,
    COURIER_SAY_DONE,
    COURIER_SAY_OK,
    COURIER_SAY_CELL,
    COURIER_SAY_YES,
    COURIER_SAY_NO,
    COURIER_SAY_ERROR
};
struct courier_reply {
    enum courier_answer kind;
    struct courier_cell cell; /* CELL */
    const char *error;        /* ERROR: words for the JSON codec; static */
};

static inline struct courier *courier_of(struct env *e)
{
    return (struct courier *)(void *)e;
}

static inline const struct courier *courier_of_const(const struct env *e)
{
    return (const struct courier *)(const void *)e;
}

static inline bool courier_same(struct courier_cell a, struct courier_cell b)
{
    return a.x == b.x && a.y == b.y;
}

/* courier_grid.c */
struct courier_cell courier_shift(struct courier_cell from, enum courier_dir dir, int32_t n);
bool courier_at_wall(struct courier_cell cell, enum courier_dir dir);
/* One of the two to four neighbours of the cell. */
struct courier_cell courier_neighbour(struct courier_cell cell, uint32_t bits);
/* The fewest moves (of at most four cells each), in the order of the scripts: east and west first,
 * the longest first. courier_way is the first of them, *n cells; the two cells must differ. */
int32_t courier_distance(struct courier_cell from, struct courier_cell to);
enum courier_dir courier_way(struct courier_cell from, struct courier_cell to, int32_t *n);
char courier_dir_letter(enum courier_dir dir);
struct courier_leg courier_leg_at(uint64_t task_seed, int32_t step);
/* Moves of leg `step` when all goes well. */
int32_t courier_leg_moves(uint64_t task_seed, int32_t step);

/* courier_state.c */
MUST_CHECK enum status courier_alloc(const struct courier_rules *rules, const struct env_params *p,
                                     struct courier **out, struct error *err);
MUST_CHECK enum status courier_create(const struct courier_rules *rules, const struct env_params *p,
                                      struct env **out, struct error *err);
void courier_free(struct env *e);
void courier_enter_leg(struct courier *c); /* what follows of leg and calls from the step alone */
void courier_apply(struct courier *c, const struct env_call *call, struct courier_reply *out,
                   struct env_effect *fx);

/* courier_verify.c */
void courier_end_step(struct courier *c);
/* Is the parcel of this ended leg in its cell? */
bool courier_in_place(const struct courier *c, int32_t step);
void courier_verify(const struct env *e, struct env_verdict *out);
double courier_ceiling(const struct courier_rules *rules, const struct env_params *p);

/* courier_fault.c */
enum courier_fault_kind {
    COURIER_NO_FAULT,
    COURIER_SHORT,
    COURIER_FAR,
    COURIER_ASIDE,
    COURIER_TRANSIENT,
    COURIER_ERROR_BUT_DONE
};
/* The kinds for --faults: the first ones, in their order. */
#define COURIER_N_FAULTS 3
extern const char *const courier_faults[COURIER_N_FAULTS];
struct courier_fault {
    enum courier_fault_kind kind;
    uint32_t detail; /* random bits: which side */
};
double courier_rate(const struct courier_rules *rules, double noise, bool gusty);
struct courier_fault courier_move_fault(const struct courier *c, int32_t try_index);
/* Where a move with this fault ends. */
struct courier_cell courier_strayed(struct courier_cell from, enum courier_dir dir, int32_t n,
                                    struct courier_fault f);
/* What where() shows; *struck: a fault of the profile changed it. */
struct courier_cell courier_reading(const struct courier *c, bool *struck);

/* courier_codec.c */
struct json *courier_observe(struct env *e);
void courier_observe_compact(struct env *e, struct str *out);
struct json *courier_call(struct env *e, const struct env_call *call, struct env_effect *fx);
void courier_call_compact(struct env *e, const struct env_call *call, struct env_effect *fx,
                          struct str *out);
void courier_parse_compact(const struct env *e, const char *text, size_t n, struct env_call *out);
void courier_render_call(const struct env_call *call, struct str *out);
/* The longest, ">AT0507GOTO0307p7GUSTY|", fits with its NUL; returns the length. */
#define COURIER_TEXT 32
size_t courier_leg_text(const struct courier_rules *rules, struct courier_cell at,
                        struct courier_leg leg, char out[COURIER_TEXT]);
size_t courier_ok_text(const struct courier_rules *rules, struct courier_leg leg,
                       char out[COURIER_TEXT]);
/* A reading: the leg again, from the courier's true cell. */
size_t courier_reading_text(const struct courier_rules *rules, struct courier_cell shown,
                            struct courier_leg leg, char out[COURIER_TEXT]);
size_t courier_call_text(const struct env_call *call, char out[COURIER_TEXT]);
bool courier_read_dir(const struct env_value *v, enum courier_dir *out);

/* courier_expert.c: when a scripted policy looks, before it drops. */
struct courier_policy {
    int32_t min_moves; /* on legs of so many moves or more */
    double share;      /* and on this share of those with one less */
    bool cue;          /* instead: on gusty legs */
    bool counts;       /* keeps the calls that it needs to finish */
};
void courier_policy_call(const struct courier *c, const struct courier_policy *p,
                         struct env_call *out);
void courier_expert(const struct env *e, const char *how, struct env_call *out);
void courier_make_call(enum courier_tool tool, struct env_call *out);
/* The first move of courier_way as a call. */
void courier_next_move(struct courier_cell from, struct courier_cell to, struct env_call *out);
void courier_make_parcel_call(enum courier_tool tool, int32_t parcel, struct env_call *out);
#define COURIER_N_EXPERTS 6
extern const char *const courier_experts[COURIER_N_EXPERTS]; /* the first two without a cue */
/* Tuned on training seeds by tests/unit/environments/test_courier_tuning.c at a horizon of 100:
 * the best policies that ignore the weather, with and without a count of calls. */
#define COURIER_BLIND_MOVES         4
#define COURIER_BLIND_SHARE         0.0
#define COURIER_BLIND_ROLLING_MOVES 5
#define COURIER_BLIND_ROLLING_SHARE 0.4

/* courier_demo.c, courier_probe.c */
#define COURIER_N_DEMO_KINDS 6
extern const char *const courier_demo_kinds[COURIER_N_DEMO_KINDS]; /* four without a cue */
int32_t courier_demo(const struct courier_rules *rules, const struct env_demo_spec *spec,
                     struct env_piece *out, int32_t max);
/* Every move on each axis between every two columns and rows; every target with its own reading,
 * and with the reading of each neighbour. */
#define COURIER_N_STEERS     880
#define COURIER_N_MATCHES    COURIER_CELLS
#define COURIER_N_MISMATCHES (4 * COURIER_SIDE * (COURIER_SIDE - 1))
#define COURIER_N_PROBES     (COURIER_N_STEERS + COURIER_N_MATCHES + COURIER_N_MISMATCHES)
void courier_probe(const struct courier_rules *rules, int32_t i, struct env_probe *out);

/* courier_snapshot.c */
void courier_snapshot(const struct env *e, struct str *out);
bool courier_anchor(const struct env *e, uint8_t hash[16]);
MUST_CHECK enum status courier_restore(const struct courier_rules *rules, const void *bytes,
                                       size_t n, struct env **out, struct error *err);

#endif
