/* metrics_bounds.h - the bounds of the histograms: those that the semantic conventions advise.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_METRICS_BOUNDS_H
#define TROUPE_RUNTIME_SERVE_METRICS_BOUNDS_H

#include "runtime/serve/histogram.h"

/* Seconds. */
static const struct histogram_bounds bounds_http = {
    14, {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}};
static const struct histogram_bounds bounds_call = {
    14, {0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}};
static const struct histogram_bounds bounds_first_token = {
    16, {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}};
static const struct histogram_bounds bounds_output_token = {
    13, {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5}};
static const struct histogram_bounds bounds_tokens = {
    14,
    {1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}};

#endif
