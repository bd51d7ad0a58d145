/* env_schema.h - the building blocks of the environments' tool schemas.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_ENVIRONMENTS_ENV_SCHEMA_H
#define TROUPE_TOOLS_ENVIRONMENTS_ENV_SCHEMA_H

#define SCHEMA_NO_ARGS "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}"
#define SCHEMA_OBJECT(properties, required)                                                        \
    "{\"type\":\"object\",\"properties\":{" properties "},\"required\":[" required                 \
    "],\"additionalProperties\":false}"
#define SCHEMA_ERROR SCHEMA_OBJECT("\"error\":{\"type\":\"string\"}", "\"error\"")
#define SCHEMA_DONE  SCHEMA_OBJECT("\"done\":{\"const\":true}", "\"done\"")
/* A tool's result: one of these, or an error. */
#define SCHEMA_RESULT(one)        "{\"anyOf\":[" one "," SCHEMA_ERROR "]}"
#define SCHEMA_RESULTS(one, two)  "{\"anyOf\":[" one "," two "," SCHEMA_ERROR "]}"
#define SCHEMA_OK                 SCHEMA_RESULT(SCHEMA_OBJECT("\"ok\":{\"const\":true}", "\"ok\""))
#define SCHEMA_INTEGER(low, high) "{\"type\":\"integer\",\"minimum\":" low ",\"maximum\":" high "}"

#endif
