/* The MIME tree of a message that was read, for people and for programs. */
#pragma once

#include "mail/message.h"
#include "tools/json.h"

/* Append one line a part, indented by depth; control characters of strangers become '?'. */
void scan_tree_put(struct pw_buf *out, const struct pw_message *message);
/* The message as nested objects: type, encoding, charset, disposition, name, size, of a
 * leaf decoded_size and magic, flags (words of core/mime_flags.def), of an archive its
 * flags and names, of a container parts.
 *
 * Owner  caller */
struct json_object *scan_tree_json(const struct pw_message *message);
