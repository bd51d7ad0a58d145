/* rollout_format.h - the bytes of a packed episode, for rollout.c and rollout_unpack.c alone.
 *
 *   head:  version u8, flags u8, path, [env name, horizon, noise f64, profile + 2 * kinds of
 *          faults, ablation, task seed, fault seed], [backend], sample seed, call base,
 *          temperature, top_p, min_p, repetition penalty (f32 each), top_k
 *
 * Then entries until the end, each with a kind u8:
 *
 *   MODEL  flags u8, [prefix], [policy version], finish, n_delta, ids, n, ids, logp,
 *          [logp_sampled], [text]
 *   ENV    tool + 1 (0: not a call, then its text), the values of its arguments, result text
 *   TOOL   name, arguments as JSON text, result as JSON text
 *
 * Numbers are varints (LEB128; zigzag if they can be negative), texts are a length and bytes,
 * floats are little-endian. MODEL opens the next turn; tool calls belong to the open turn.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_ROLLOUT_FORMAT_H
#define TROUPE_AGENTS_ROLLOUT_FORMAT_H

#define ROLLOUT_VERSION  1
#define ROLLOUT_PROFILES 2 /* in the number that also holds the kinds of faults */

enum rollout_head_flag {
    ROLLOUT_HAS_ENV = 1,
    ROLLOUT_HAS_BACKEND = 2,
    ROLLOUT_HEAD_FLAGS = 3,
};
enum rollout_kind { ROLLOUT_MODEL = 1, ROLLOUT_ENV = 2, ROLLOUT_TOOL = 3 };
enum rollout_model_flag {
    ROLLOUT_NEW_CHAIN = 1,
    ROLLOUT_HAS_PREFIX = 2, /* prefix_len is less than the whole chain */
    ROLLOUT_HAS_POLICY = 4, /* not the policy version of the call before (0 before the first) */
    ROLLOUT_HAS_SAMPLED = 8,
    ROLLOUT_HAS_TEXT = 16,
    ROLLOUT_MODEL_FLAGS = 31,
};

#endif
