/* ledger.h - the insides of the ledger environment, shared by its files and nothing else.
 *
 * Eight accounts a..h hold 0..99; sums wrap modulo 100. A step is one order (account, sign,
 * amount 1..9). ledger_apply is the whole meaning of a call; the codecs only translate.
 * Source: Troupe's "OffCourse" benchmark, E1.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_ENVIRONMENTS_LEDGER_H
#define TROUPE_TOOLS_ENVIRONMENTS_LEDGER_H

#include "tools/environments/environment.h"

#define LEDGER_KEYS        8
#define LEDGER_VALUES      100
#define LEDGER_MAX_AMOUNT  9
#define LEDGER_MAX_CALLS   10 /* of one order; one more fails the episode */
#define LEDGER_MAX_HORIZON 100000
#define LEDGER_NOISE       0.01
#define LEDGER_MAX_NOISE   0.9
/* Profile `hard`: rates of a wrong read, a visible error, an error though done. */
#define LEDGER_HARD_RATE 0.01

/* Indices into ledger_env.tools. */
enum ledger_tool { LEDGER_NEXT, LEDGER_GET, LEDGER_SET, LEDGER_UNDO, LEDGER_CHECK, LEDGER_N_TOOLS };

struct ledger_order {
    uint8_t key;
    int8_t delta; /* -9..9, never 0 */
};

/* What the last look after a write showed, until the next deed says what it led to. */
enum ledger_pending { LEDGER_NOTHING, LEDGER_MATCHED, LEDGER_MISMATCHED };

/* What happened within the current order. */
struct ledger_step {
    int32_t calls;
    int32_t tries[LEDGER_N_TOOLS]; /* earlier calls on each channel: keys the faults */
    bool fault, slip;
    bool wrote;       /* a set was executed in this order */
    int8_t asked_key; /* of the last set since the last undo; -1: none */
    int8_t asked_value;
    uint8_t pending; /* enum ledger_pending */
    /* What the scripted expert remembers of the replies. */
    int8_t seen;  /* the first value shown of the order's account; -1: none */
    bool written; /* a set was answered OK since the last undo */
    bool looked;  /* asked for a look since the last set, answered or not */
    bool refused; /* an ablation refused a call */
};

/* Bits of what is known of a finished step. */
enum { LEDGER_RIGHT = 1, LEDGER_FAULTY = 2, LEDGER_SLIPPED = 4 };

struct ledger {
    struct env_params params; /* noise is filled in */
    int32_t step;             /* orders ended, the capped one included */
    bool done, capped;
    struct ledger_order order;
    uint8_t account[LEDGER_KEYS];
    uint8_t start[LEDGER_KEYS]; /* at the start of this order */
    uint8_t want[LEDGER_KEYS];  /* what the ledger would hold had all ended orders been right */
    struct ledger_step now;
    struct env_verdict tally; /* grows with every call; steps and success are filled in late */
    uint8_t *flags;           /* (horizon) of ended steps */
};

/* The answer to a call, before a codec dresses it. */
enum ledger_answer {
    LEDGER_SAY_ORDER,
    LEDGER_SAY_DONE,
    LEDGER_SAY_VALUE,
    LEDGER_SAY_OK,
    LEDGER_SAY_MATCH,
    LEDGER_SAY_ERROR
};
struct ledger_reply {
    enum ledger_answer kind;
    int32_t value;     /* VALUE; MATCH: the actual one */
    bool match;        /* MATCH */
    const char *error; /* ERROR: words for the JSON codec; static */
};

static inline struct ledger *ledger_of(struct env *e)
{
    return (struct ledger *)(void *)e;
}

static inline const struct ledger *ledger_of_const(const struct env *e)
{
    return (const struct ledger *)(const void *)e;
}

static inline int32_t ledger_wrap(int32_t value)
{
    return (value % LEDGER_VALUES + LEDGER_VALUES) % LEDGER_VALUES;
}

/* ledger_state.c */
MUST_CHECK enum status ledger_check_params(const struct env_params *p, struct error *err);
MUST_CHECK enum status ledger_alloc(const struct env_params *p, struct ledger **out,
                                    struct error *err);
MUST_CHECK enum status ledger_create(const struct env_params *p, struct env **out,
                                     struct error *err);
void ledger_free(struct env *e);
struct ledger_order ledger_order_at(uint64_t task_seed, int32_t step);
void ledger_apply(struct ledger *l, const struct env_call *c, struct ledger_reply *out,
                  struct env_effect *fx);

/* ledger_verify.c */
void ledger_end_step(struct ledger *l);
void ledger_saw(struct ledger *l, bool match);         /* a look after a write */
void ledger_acted(struct ledger *l, bool is_a_repair); /* set or undo; else next or the end */
void ledger_verify(const struct env *e, struct env_verdict *out);
bool ledger_step_right(const struct env *e, int32_t step);
int32_t ledger_steps_done(const struct env *e);
double ledger_ceiling(const struct env_params *p);

/* ledger_fault.c */
enum ledger_fault_kind {
    LEDGER_NO_FAULT,
    LEDGER_LOST,
    LEDGER_WRONG_VALUE,
    LEDGER_WRONG_TARGET,
    LEDGER_TRANSIENT,
    LEDGER_ERROR_BUT_DONE
};
struct ledger_fault {
    enum ledger_fault_kind kind;
    uint32_t detail; /* random bits: which value, which account */
};
struct ledger_fault ledger_write_fault(const struct ledger *l, int32_t try_index);
/* The value that a look at `key` shows; *struck: a fault of the profile changed it. */
int32_t ledger_read(const struct ledger *l, enum ledger_tool channel, int32_t key, bool *struck);

/* ledger_codec.c */
struct json *ledger_observe(struct env *e);
void ledger_observe_compact(struct env *e, struct str *out);
struct json *ledger_call(struct env *e, const struct env_call *c, struct env_effect *fx);
void ledger_call_compact(struct env *e, const struct env_call *c, struct env_effect *fx,
                         struct str *out);
void ledger_parse_compact(const struct env *e, const char *text, size_t n, struct env_call *out);
void ledger_render_call(const struct env_call *c, struct str *out);
/* The longest, "CHECKd66;", fits with its NUL; returns the length. Demonstrations and probes are
 * built of these.
 */
#define LEDGER_TEXT 16
size_t ledger_order_text(struct ledger_order order, char out[LEDGER_TEXT]);
size_t ledger_reply_text(const struct ledger *l, const struct ledger_reply *r,
                         char out[LEDGER_TEXT]);
size_t ledger_call_text(const struct env_call *c, char out[LEDGER_TEXT]);

/* ledger_expert.c */
void ledger_expert(const struct env *e, const char *how, struct env_call *out);
void ledger_make_call(enum ledger_tool tool, int32_t key, int32_t value, struct env_call *out);

/* ledger_demo.c, ledger_probe.c */
#define LEDGER_N_DEMO_KINDS 4
extern const char *const ledger_demo_kinds[LEDGER_N_DEMO_KINDS];
int32_t ledger_demo(const struct env_demo_spec *spec, struct env_piece *out, int32_t max);
/* Every sum; every pair of a written and another shown value; every pair of equal ones. */
#define LEDGER_N_SUMS       (LEDGER_VALUES * 2 * LEDGER_MAX_AMOUNT)
#define LEDGER_N_MISMATCHES (LEDGER_VALUES * (LEDGER_VALUES - 1))
#define LEDGER_N_PROBES     (LEDGER_N_SUMS + LEDGER_N_MISMATCHES + LEDGER_VALUES)
void ledger_probe(int32_t i, struct env_probe *out);

/* ledger_snapshot.c */
void ledger_snapshot(const struct env *e, struct str *out);
MUST_CHECK enum status ledger_restore(const void *bytes, size_t n, struct env **out,
                                      struct error *err);

#endif
