/* plan_load.h - shared by the plan_*.c files while they read a blueprint; private to them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_PLAN_LOAD_H
#define TROUPE_BLUEPRINTS_PLAN_LOAD_H

#include "blueprints/plan.h"
#include "runtime/base/memory.h"

/* The texts of a blueprint: the root file and the files named by file://, all in the folder
 * of the root file. They are read from disk, or come from an effective configuration. */
struct plan_files;
/* *root: the root file's name within its folder; lent. */
MUST_CHECK enum status plan_files_open(const char *path, struct plan_files **out, const char **root,
                                       struct error *err);
struct plan_files *plan_files_from_text(const char *name, const char *text, const char *folder);
MUST_CHECK enum status plan_files_from_effective(const struct json *effective,
                                                 struct plan_files **out, const char **root,
                                                 struct error *err);
void plan_files_free(struct plan_files *f);
/* The text of `name` (relative to the folder, as the functions here give it); lent. */
MUST_CHECK enum status plan_files_text(struct plan_files *f, const char *name, const char **text,
                                       struct error *err);
/* Resolves `reference` relative to the file `from`; the name is in the arena. */
MUST_CHECK enum status plan_files_resolve(const char *from, const char *reference,
                                          struct arena *arena, const char **name,
                                          struct error *err);
/* The name for messages: with the folder as the user gave it. */
void plan_files_display(const struct plan_files *f, const char *name, struct str *out);
/* The absolute folder of the file `name`, in the arena; NULL: a record of 0.1 does not have it. */
const char *plan_files_folder(const struct plan_files *f, const char *name, struct arena *arena);
/* All files that were read: new reference. */
struct json *plan_files_effective(const struct plan_files *f, const char *root);

struct plan_loader {
    struct plan *plan;
    struct plan_files *files;
    const char *file; /* the name of this blueprint in files */
    int depth;        /* blueprints above this one */
    struct error *err;
};
/* Loads a blueprint of `files`; used for the root and for steps of kind blueprint. */
MUST_CHECK enum status plan_load(struct plan_files *files, const char *name, int depth,
                                 struct plan **out, struct error *err);

/* ---- plan_parts.c: typed parts of a mapping. *out is unchanged if the key is absent. */
#define PLAN_FAULT(l, node, ...) yaml_error((l)->err, (l)->plan->yaml, (node), __VA_ARGS__)

/* Takes the reference over and lends it for the plan's life. */
struct json *plan_keep(struct plan_loader *l, struct json *adopt);
MUST_CHECK enum status part_mapping(struct plan_loader *l, const struct yaml_node *node,
                                    const char *what);
MUST_CHECK enum status part_string(struct plan_loader *l, const struct yaml_node *map,
                                   const char *key, const char **out);
/* The same; text that begins with file:// is the text of that file. */
MUST_CHECK enum status part_text(struct plan_loader *l, const struct yaml_node *map,
                                 const char *key, const char **out);
MUST_CHECK enum status part_int(struct plan_loader *l, const struct yaml_node *map, const char *key,
                                int64_t least, int64_t most, int64_t *out);
MUST_CHECK enum status part_number(struct plan_loader *l, const struct yaml_node *map,
                                   const char *key, double least, double most, double *out);
MUST_CHECK enum status part_bool(struct plan_loader *l, const struct yaml_node *map,
                                 const char *key, bool *out);
MUST_CHECK enum status part_duration(struct plan_loader *l, const struct yaml_node *map,
                                     const char *key, int64_t *out_ms);
MUST_CHECK enum status part_budget(struct plan_loader *l, const struct yaml_node *map,
                                   struct plan_budget *out);
MUST_CHECK enum status part_retry(struct plan_loader *l, const struct yaml_node *map,
                                  struct plan_retry *out);
/* One of n words; the index comes back. */
MUST_CHECK enum status part_word(struct plan_loader *l, const struct yaml_node *map,
                                 const char *key, const char *const *words, size_t n, int *out);
/* A JSON Schema: a mapping, or file:// of JSON. */
MUST_CHECK enum status part_schema(struct plan_loader *l, const struct yaml_node *map,
                                   struct json **out);
/* The part after file://, or NULL. */
const char *part_file_reference(const struct yaml_node *scalar);
MUST_CHECK enum status part_include(struct plan_loader *l, const struct yaml_node *scalar,
                                    const char **text);

#define PLAN_MAX_DURATION_MS ((int64_t)366 * 24 * 3600 * 1000)

/* ---- plan_value.c */
MUST_CHECK enum status plan_value_load(struct plan_loader *l, const struct yaml_node *node,
                                       struct plan_value **out);
/* A condition: an expression with or without ${ } around it. */
MUST_CHECK enum status plan_value_load_condition(struct plan_loader *l,
                                                 const struct yaml_node *node,
                                                 struct plan_value **out);
/* A mapping that is not in the file so; its place is that of the node. */
struct plan_member {
    const char *key;
    struct plan_value *value;
};
struct plan_value *plan_value_map(struct plan_loader *l, const struct yaml_node *node,
                                  const struct plan_member *member, size_t n);
void plan_value_deinit(struct plan_value *v);
struct plan_value *plan_value_next(struct plan_value *v); /* of plan->values */
/* Calls fn for everything that an expression in v reads, until it fails. */
typedef enum status (*plan_reference_fn)(void *ctx, struct expr_reference r,
                                         const struct yaml_node *at);
MUST_CHECK enum status plan_value_each_reference(const struct plan_value *v, plan_reference_fn fn,
                                                 void *ctx);
/* As expr_type. */
int plan_value_type(const struct plan_value *v, expr_type_fn of, void *ctx);
/* New reference; NULL when any part of it is an expression. */
struct json *plan_value_literal(const struct plan_value *v);
/* The i-th member of a mapping of the file, lent; NULL after the last one, and if v is not a
 * mapping. */
const struct plan_value *plan_value_member(const struct plan_value *v, size_t i, const char **key);
const struct yaml_node *plan_value_node(const struct plan_value *v); /* for messages */

/* ---- plan_step.c */
MUST_CHECK enum status plan_steps_load(struct plan_loader *l, const struct yaml_node *mapping,
                                       struct plan_step **out, int32_t *n);
/* ---- plan_input.c: an input that is not declared; the message names the nearest. */
const struct plan_input *plan_input_find(const struct plan *p, const char *name); /* or NULL */
bool plan_input_takes(const struct plan_input *in, const struct json *v);         /* by its type */
enum status plan_input_unknown(const struct plan *p, const char *name, struct error *err);

/* ---- plan_refs.c: names in expressions, once all steps are there. */
/* The same for all that a step reads before it begins. */
MUST_CHECK enum status plan_step_each_reference(const struct plan_step *s, plan_reference_fn fn,
                                                void *ctx);
MUST_CHECK enum status plan_check_references(struct plan_loader *l);

#endif
