/* semconv.h - the names of attributes and metrics that others read.
 *
 * Those of OpenTelemetry's semantic conventions (HTTP, and GenAI 1.37); our own begin with
 * "troupe". In the text format of Prometheus a dot is an underscore, and the unit is the end of the
 * name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_TRACE_SEMCONV_H
#define TROUPE_RUNTIME_TRACE_SEMCONV_H

/* ---- attributes of spans */
#define ATTR_ERROR_TYPE  "error.type"
#define ATTR_HTTP_METHOD "http.request.method"
#define ATTR_HTTP_ROUTE  "http.route"
#define ATTR_HTTP_STATUS "http.response.status_code"
#define ATTR_URL_PATH    "url.path"
#define ATTR_OPERATION   "gen_ai.operation.name"
#define ATTR_PROVIDER    "gen_ai.provider.name"
/* Of a kind of models, as in model.h. */
#define PROVIDER_OF(kind)   (strcmp(kind, "remote") == 0 ? "openai" : "troupe")
#define ATTR_REQUEST_MODEL  "gen_ai.request.model"
#define ATTR_FINISH_REASONS "gen_ai.response.finish_reasons"
#define ATTR_INPUT_TOKENS   "gen_ai.usage.input_tokens"
#define ATTR_OUTPUT_TOKENS  "gen_ai.usage.output_tokens"
#define ATTR_CACHED_TOKENS  "gen_ai.usage.cache_read.input_tokens"
#define ATTR_AGENT_NAME     "gen_ai.agent.name"
#define ATTR_WORKFLOW_NAME  "gen_ai.workflow.name"
#define ATTR_TOOL_NAME      "gen_ai.tool.name"
#define ATTR_TOOL_TYPE      "gen_ai.tool.type"
/* Only with --otlp-content. */
#define ATTR_INPUT_MESSAGES  "gen_ai.input.messages"
#define ATTR_OUTPUT_MESSAGES "gen_ai.output.messages"
#define ATTR_TOOL_ARGUMENTS  "gen_ai.tool.call.arguments"
#define ATTR_TOOL_RESULT     "gen_ai.tool.call.result"
/* Ours. */
#define ATTR_RUN     "troupe.run"
#define ATTR_PATH    "troupe.path"
#define ATTR_ATTEMPT "troupe.attempt"
#define ATTR_KIND    "troupe.kind"
#define ATTR_COST    "troupe.cost_dollars"

/* ---- values of gen_ai.operation.name */
#define OPERATION_WORKFLOW   "invoke_workflow"
#define OPERATION_AGENT      "invoke_agent"
#define OPERATION_CHAT       "chat"
#define OPERATION_COMPLETION "text_completion"
#define OPERATION_TOOL       "execute_tool"

/* ---- labels of metrics */
#define LABEL_METHOD     "http_request_method"
#define LABEL_ROUTE      "http_route"
#define LABEL_STATUS     "http_response_status_code"
#define LABEL_OPERATION  "gen_ai_operation_name"
#define LABEL_MODEL      "gen_ai_request_model"
#define LABEL_TOKENS     "gen_ai_token_type"
#define LABEL_ERROR      "error_type"
#define LABEL_SERVER     "server_address"
#define LABEL_MCP_SERVER "mcp_server"
#define LABEL_OUTCOME    "outcome"

/* ---- metrics; all others begin with "troupe_" or "process_" */
#define METRIC_HTTP_DURATION       "http_server_request_duration_seconds"
#define METRIC_HTTP_ACTIVE         "http_server_active_requests"
#define METRIC_SERVER_DURATION     "gen_ai_server_request_duration_seconds"
#define METRIC_SERVER_FIRST_TOKEN  "gen_ai_server_time_to_first_token_seconds"
#define METRIC_SERVER_OUTPUT_TOKEN "gen_ai_server_time_per_output_token_seconds"
#define METRIC_CLIENT_TOKENS       "gen_ai_client_token_usage"
#define METRIC_CLIENT_DURATION     "gen_ai_client_operation_duration_seconds"

#endif
