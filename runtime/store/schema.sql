-- schema.sql - the store, version 2 (PRAGMA user_version). An older store is brought here by
-- migrate.c, one step a version, after a backup; STMTs of readers know version 1 too.
-- SPDX-License-Identifier: Apache-2.0
--
-- One journal serves blueprints, agents and tools: `step`. A trajectory is a query
-- over step, msg and tok, not a second record. Payload columns carry either the
-- value itself (at most 256 bytes, in *_small) or a blob id, never both. `sum` is CRC-32C over
-- the row's columns (rows.c), so that a flipped byte is found and named. Where a row is
-- written twice it is `sums`: what the second write changes has the upper 32 bits.

CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) STRICT;

CREATE TABLE blob (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,   -- SHA-256 of the plain content
    enc INTEGER NOT NULL,        -- 0 plain, 1 zstd
    size INTEGER NOT NULL,       -- plain bytes
    data BLOB NOT NULL
) STRICT;

CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,   -- UUIDv7
    kind TEXT NOT NULL,          -- run, eval, train
    name TEXT NOT NULL,          -- blueprint, environment or folder
    status TEXT NOT NULL,        -- running, waiting, ok, error, timeout, budget, cancelled, rejected
    epoch INTEGER NOT NULL,      -- counts takeovers
    config INTEGER REFERENCES blob(id), -- effective configuration, JSON: blueprint text, inputs, options
    seed INTEGER NOT NULL,       -- task seed; fault and sampling seeds are derived or stand in config
    model_hash BLOB,
    backend TEXT,
    env_hash BLOB,
    budget TEXT,                 -- JSON counters: spent tokens, steps, calls, cost_nano, wall_ms
    output INTEGER REFERENCES blob(id),
    error TEXT,
    created INTEGER NOT NULL,    -- ms since the epoch
    ended INTEGER,               -- once set, the row never changes again
    prompt_format INTEGER NOT NULL, -- how prompts are rendered: RUN_PROMPT_FORMAT of its program
    root TEXT,                   -- absolute: the folder that file tools see; NULL: none, or unknown (0.1)
    source TEXT,                 -- absolute: the blueprint's file; NULL: none, or unknown (0.1)
    sums INTEGER NOT NULL
) STRICT;
CREATE INDEX run_by_status ON run(status, id);

CREATE TABLE step (
    run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
    path TEXT NOT NULL,          -- path.h: plan/turn:2/tool:0:search
    attempt INTEGER NOT NULL,
    seq INTEGER NOT NULL,        -- order of intents within the run, no gaps
    kind TEXT NOT NULL,          -- step, agent, model, tool, human, map, loop, if, parallel, blueprint
    name TEXT,                   -- tool or agent name
    effect INTEGER NOT NULL,     -- enum effect
    tries INTEGER NOT NULL,      -- starts of this attempt
    state INTEGER NOT NULL,      -- enum step_state
    in_hash BLOB,                -- rolling hash of the inputs, first 16 bytes
    idem BLOB,                   -- SHA-256 of (run, path, attempt); only where an effect needs it
    args_small TEXT, args INTEGER REFERENCES blob(id),
    out_small TEXT, out INTEGER REFERENCES blob(id),
    err TEXT,
    t0 INTEGER NOT NULL, t1 INTEGER,
    tok_in INTEGER, tok_out INTEGER,
    sums INTEGER NOT NULL,
    PRIMARY KEY (run, path, attempt)
) STRICT, WITHOUT ROWID;
-- step_by_seq ON step(run, seq) is added by store_schema_index, also to a store that does not have it.

CREATE TABLE msg (
    run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
    thread TEXT NOT NULL,        -- path of the agent step
    seq INTEGER NOT NULL,
    role TEXT NOT NULL,
    small TEXT, body INTEGER REFERENCES blob(id), -- JSON of the message
    sum INTEGER NOT NULL,
    PRIMARY KEY (run, thread, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE wait (
    run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    kind TEXT NOT NULL,          -- human, approval, timer
    prompt TEXT NOT NULL,        -- JSON: text, options, default
    deadline INTEGER,            -- ms since the epoch
    answer TEXT,                 -- JSON; NULL while open
    answered INTEGER,
    closed INTEGER,              -- ms since the epoch: its step or its run ended; NULL while open
    closed_as INTEGER,           -- enum step_state: how
    sums INTEGER NOT NULL,
    PRIMARY KEY (run, path, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE tok (
    run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
    path TEXT NOT NULL,          -- of the model call
    attempt INTEGER NOT NULL,
    seq INTEGER NOT NULL,        -- order within the run
    rec BLOB,                    -- packed: store/token_record.h; NULL: in pieces
    first INTEGER, pieces INTEGER, -- ids of piece: first, first + 1, ...
    sum INTEGER NOT NULL,        -- over the whole record
    PRIMARY KEY (run, path, attempt)
) STRICT, WITHOUT ROWID;

-- Long token records cut to a length that fills pages: rows of 1 to 4 KB would leave up
-- to half of each page empty.
CREATE TABLE piece (
    id INTEGER PRIMARY KEY,
    data BLOB NOT NULL
) STRICT;

-- Evaluation episodes and rollouts: one packed record, one transaction an episode.
CREATE TABLE episode (
    run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
    path TEXT NOT NULL,          -- row[r]/episode[i], update[u]/group[g]/member[i]
    seed INTEGER NOT NULL,
    status INTEGER NOT NULL,
    success INTEGER NOT NULL,
    steps INTEGER NOT NULL,
    verdict TEXT NOT NULL,       -- JSON of the verifier
    rec BLOB,                    -- packed token records and calls, zstd
    t0 INTEGER NOT NULL, t1 INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (run, path)
) STRICT, WITHOUT ROWID;

-- call_audit, the calls of the MCP hub, is added by store_schema_audit, also to a store that does not have it.
