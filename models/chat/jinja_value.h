/* jinja_value.h - the values of the template language, and the memory they live in.
 *
 * Values are copied freely; what they point to lives in one region that is freed
 * at once after parsing or rendering. A full region returns NULL, and constructors then
 * return undefined; the process never aborts.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_JINJA_VALUE_H
#define TROUPE_MODELS_CHAT_JINJA_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory that grows to a maximum and is freed as a whole. */
struct jinja_block;
struct jinja_memory {
    struct jinja_block *block;
    size_t used, max;
    bool full;      /* set once something did not fit */
    bool exhausted; /* ... because the system had no memory */
};

void jinja_memory_init(struct jinja_memory *m, size_t max_bytes);
void jinja_memory_deinit(struct jinja_memory *m);
void *jinja_alloc(struct jinja_memory *m, size_t bytes); /* zeroed, aligned to 16; or NULL */

struct jinja_text {
    const char *p;
    size_t n;
};

enum jinja_type {
    JT_UNDEFINED, /* text: the name that was not found */
    JT_NONE,
    JT_BOOL,
    JT_INT,
    JT_FLOAT,
    JT_STRING,
    JT_LIST,
    JT_DICT,
    JT_NAMESPACE, /* a dict whose members a template may set */
    JT_LOOP,
    JT_MACRO,
    JT_FUNCTION,
    JT_METHOD /* a function of a value: message.get */
};

struct jinja_run;
struct jinja_args;
struct jinja_value;
struct jinja_node;
typedef struct jinja_value (*jinja_function)(struct jinja_run *run, const struct jinja_args *args);

struct jinja_value {
    enum jinja_type type;
    union {
        bool truth;
        int64_t integer;
        double real;
        struct jinja_text text;
        struct jinja_list *list;
        struct jinja_dict *dict;
        const struct jinja_loop *loop;
        const struct jinja_macro *macro;
        const struct jinja_method *method;
        jinja_function function;
    } as;
};

struct jinja_list {
    struct jinja_value *item;
    size_t n, cap;
    bool tuple; /* only printing differs */
};

struct jinja_member {
    struct jinja_value key, value;
};
struct jinja_dict { /* in order of insertion; see jinja_dict.h */
    struct jinja_member *member;
    size_t n, cap;
    uint32_t *slot; /* a hash table of places in `member`, each plus 1; NULL while it is small */
    size_t n_slots; /* a power of two */
};

struct jinja_loop {
    const struct jinja_list *items;
    size_t index; /* from 0 */
};

struct jinja_method {
    struct jinja_value self;
    struct jinja_text name;
};

/* What a function, filter or test is called with. */
struct jinja_named {
    struct jinja_text name;
    struct jinja_value value;
};
struct jinja_args {
    const struct jinja_value *value;
    size_t n;
    const struct jinja_named *named;
    size_t n_named;
};

#define JINJA_UNDEFINED ((struct jinja_value){.type = JT_UNDEFINED})
#define JINJA_NONE      ((struct jinja_value){.type = JT_NONE})
#define JINJA_TEXT(s)   ((struct jinja_text){(s), sizeof(s) - 1})

struct jinja_value jinja_bool(bool b);
struct jinja_value jinja_int(int64_t i);
struct jinja_value jinja_float(double d);
struct jinja_value jinja_string(struct jinja_text t); /* lent */
struct jinja_value jinja_string_copy(struct jinja_memory *m, const char *p, size_t n);
struct jinja_value jinja_list(struct jinja_memory *m); /* empty */
struct jinja_value jinja_dict(struct jinja_memory *m);
/* Does nothing when the region is full (m->full is set then). */
void jinja_push(struct jinja_memory *m, struct jinja_list *l, struct jinja_value v);
/* Doubles the capacity of *items, of which n are used; false when the region is full. The old array
 * stays in the region until the end. */
bool jinja_make_room(struct jinja_memory *m, void **items, size_t n, size_t *cap, size_t size);

/* By position or by name; NULL: not given. `position` (size_t)-1: only by name. */
const struct jinja_value *jinja_arg(const struct jinja_args *args, size_t position,
                                    const char *name);

bool jinja_text_is(struct jinja_text t, const char *s);
bool jinja_text_equal(struct jinja_text a, struct jinja_text b);
bool jinja_truth(const struct jinja_value *v);
bool jinja_is_number(const struct jinja_value *v); /* booleans too, as in Python */
double jinja_as_real(const struct jinja_value *v);
/* Of two numbers; a float makes both floats. */
bool jinja_numbers_equal(const struct jinja_value *a, const struct jinja_value *b);
int64_t jinja_as_int(const struct jinja_value *v);
const char *jinja_type_name(enum jinja_type t);

#endif
