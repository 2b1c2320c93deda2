/* --batch: one JSON object a line on standard input, one answer a line, in order. */
#pragma once

#include "tools/json.h"

/* Print the answer to a request, an object; true if one could be given. */
typedef bool tool_answer_fn(const void *arg, struct json_object *request);

/* Answer to the end of standard input; what is no object is answered with an error. Lines
 * of more than 1 MB are not read into memory. Returns the exit code. */
int tool_batch_run(tool_answer_fn *answer, const void *arg);
