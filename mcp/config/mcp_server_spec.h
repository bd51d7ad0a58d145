/* mcp_server_spec.h - one upstream server as the configuration defines it: how to reach it, and how
 * to treat it.
 *
 * Texts are as they are written: references (mcp_expand.h) are resolved when the server starts
 * (mcp_launch.h), so that no secret is in a spec, a hash or a message. Read-only once it is read,
 * and counted, so that a server keeps its own while the files are read again; the hub's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CONFIG_MCP_SERVER_SPEC_H
#define TROUPE_MCP_CONFIG_MCP_SERVER_SPEC_H

#include "mcp/config/mcp_note.h"
#include "runtime/base/effect.h"
#include "runtime/base/hash.h"

enum mcp_server_transport {
    MCP_STDIO,
    MCP_HTTP, /* Streamable HTTP; an older server may turn out to speak HTTP+SSE */
    MCP_SSE,  /* HTTP+SSE of 2024-11-05 */
    N_MCP_TRANSPORTS
};
extern const char *const mcp_server_transport_words[N_MCP_TRANSPORTS]; /* "stdio", "http", "sse" */

enum mcp_instances {
    MCP_SHARED,     /* one process or connection for all clients */
    MCP_PER_CLIENT, /* one for each principal: servers that keep state of a client */
    N_MCP_INSTANCES
};
extern const char *const mcp_instances_words[N_MCP_INSTANCES]; /* "shared", "per_client" */

/* What happens with tools whose declaration has no approved hash. */
enum mcp_pins {
    MCP_PINS_FIRST,  /* the first declaration seen is approved, a change needs an approval */
    MCP_PINS_STRICT, /* each needs an approval */
    MCP_PINS_OFF,
    N_MCP_PINS
};
extern const char *const mcp_pins_words[N_MCP_PINS]; /* "first", "strict", "off" */

struct mcp_pair {
    char *name, *value;
};
struct mcp_texts {
    char **text; /* (n) */
    size_t n;
};
struct mcp_tool_effect {
    char *pattern; /* the server's own name of a tool, or a pattern (glob.h) */
    enum effect effect;
};

#define MCP_DEFAULT_TIMEOUT_MS       60000
#define MCP_DEFAULT_START_TIMEOUT_MS 60000 /* npx and uvx may download first */
#define MCP_DEFAULT_IN_FLIGHT        32

struct mcp_settings {
    bool enabled;
    int64_t timeout_ms;       /* of one request */
    int64_t total_timeout_ms; /* of one request that reports progress; 0: an hour, or timeout_ms */
    int64_t start_timeout_ms; /* until the server has answered its first request */
    int64_t idle_shutdown_ms; /* 0: never */
    int32_t max_in_flight;    /* requests at a time */
    enum effect effect;       /* of its tools, unless `effects` says more; `once` by default */
    struct mcp_tool_effect *effects; /* (n_effects) */
    size_t n_effects;
    enum mcp_instances instances;
    enum mcp_pins pins;
    bool allow_local;         /* its URL may lead to this machine or network, and be http */
    struct mcp_texts roots;   /* folders shown to the server; may have references */
    struct mcp_texts include; /* patterns of its own names of tools; none: all */
    struct mcp_texts exclude; /* counts more than include */
};

struct mcp_server_spec {
    char *name;
    enum mcp_server_transport transport;
    char *command; /* stdio */
    struct mcp_texts args;
    struct mcp_pair *env; /* (n_env); a NULL value removes the variable */
    size_t n_env;
    char *env_file;           /* or NULL */
    char *cwd;                /* or NULL: the workspace */
    char *url;                /* http, sse */
    struct mcp_pair *headers; /* (n_headers) */
    size_t n_headers;
    struct mcp_settings settings;

    char *file, *folder, *workspace; /* where it is defined */
    long line, column;
    bool own; /* in troupe.yaml: `$$` and ${file:} are known */
    /* From a file of the working folder, which may have come from anywhere: the caller asks before
     * it starts what such a file names. */
    bool of_project;
    /* Of a user's server: the troupe.yaml of a working folder that changes its settings, and that
     * folder; NULL: none. It may have come from anywhere too. */
    char *changed_by, *changed_in;
    long changed_line;

    struct sha256 hash;        /* of all but the place */
    struct sha256 start_hash;  /* of what it is started with; equal: no restart is needed */
    struct sha256 target_hash; /* the same, whether it can be used now or not: for approvals */
    struct error *problem;     /* why it cannot be used; NULL: usable */
    int32_t refs;
};

struct mcp_server_spec *mcp_server_spec_new(const char *name, const struct mcp_source *source);
struct mcp_server_spec *mcp_server_spec_ref(struct mcp_server_spec *s);
void mcp_server_spec_unref(struct mcp_server_spec *s); /* NULL is fine */
/* Keeps the first one. */
void mcp_server_spec_set_problem(struct mcp_server_spec *s, const struct error *err);
/* Sets the hashes. */
void mcp_server_spec_hash(struct mcp_server_spec *s);

/* Does a person have to approve it before it is started? */
bool mcp_server_spec_needs_approval(const struct mcp_server_spec *s);
/* Names of Troupe's own tools begin with these: no server has one of them for its name (in any
 * case). */
#define MCP_OWN_NAMES 3
extern const char *const mcp_own_names[MCP_OWN_NAMES]; /* "blueprint", "agent", "troupe" */
bool mcp_server_name_is_own(const char *name);

/* The effect of a tool, by the server's own name: an exact name counts more than a pattern, an
 * earlier pattern more than a later one. */
enum effect mcp_server_spec_effect(const struct mcp_server_spec *s, const char *tool);
/* Do `include` and `exclude` let the tool through? */
bool mcp_server_spec_has_tool(const struct mcp_server_spec *s, const char *tool);

void mcp_texts_add(struct mcp_texts *t, const char *text);
void mcp_texts_deinit(struct mcp_texts *t);
void mcp_pairs_add(struct mcp_pair **pairs, size_t *n, const char *name, const char *value);
void mcp_pairs_free(struct mcp_pair *pairs, size_t n);

#endif
