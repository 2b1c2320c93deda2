/* From files of other systems to a plan. */
#pragma once

#include "core/buf.h"
#include "tools/import/plan.h"

#define IMPORT_FILE_MAX ((size_t)256 * 1024 * 1024)

struct import_order {
	const char *const *files;
	size_t count;
	const char *domain; /* of names without one; NULL = such names are no addresses */
};

struct import_source {
	const char *name;
	/* Read all files into the plan. why_out: on failure FILE:LINE: and what is wrong.
	 *
	 * Errors  PW_ERR_SYNTAX and whatever keeps a file from being read */
	enum pw_status (*read)(struct import_plan *plan, const struct import_order *order,
	                       struct pw_buf *why_out);
};

/* NULL = no such source. */
const struct import_source *import_find_source(struct pw_str name);

enum pw_status import_read_tables(struct import_plan *plan,
                                  const struct import_order *order,
                                  struct pw_buf *why_out);
enum pw_status import_read_mailserver(struct import_plan *plan,
                                      const struct import_order *order,
                                      struct pw_buf *why_out);
enum pw_status import_read_passwd(struct import_plan *plan,
                                  const struct import_order *order,
                                  struct pw_buf *why_out);

/* A whole file; on failure why_out says which and why. */
PW_MUST_CHECK enum pw_status import_read_file(struct pw_buf *out, const char *path,
                                              struct pw_buf *why_out);
/* One alias from a list of destinations parted by commas or blanks: its rows, or the
 * alias domain that @name to @other is. is_enabled: "true", "false", or NULL. */
void import_alias_list(struct import_plan *plan, struct import_place place,
                       struct pw_str source, struct pw_str list,
                       struct pw_str is_enabled);
