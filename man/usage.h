/* What `postwardctl COMMAND --help` says, as part of postwardctl(1).
 *
 *     usage: postwardctl spf --ip ADDRESS [OPTION...]      synopsis
 *            postwardctl spf --batch                       synopsis
 *     Some sentence.                                       text
 *       --ip ADDRESS   the client                          option, blanks, help
 *                      of SMTP                             more of it (3 blanks or more)
 */
#pragma once

#include "core/buf.h"

/* The usage texts of all commands, each behind a line of form feed and the command's
 * name: a subsection for each. */
void usage_put_commands(struct pw_buf *out, struct pw_str text);
