#include "core/passwd_file.h"

#define FIELDS_BEFORE_EXTRA 7

enum { FIELD_USER, FIELD_PASSWORD, FIELD_GECOS = 4 };

enum pw_status pw_passwd_parse(struct pw_passwd_entry *out, struct pw_str line)
{
	struct pw_str fields[FIELDS_BEFORE_EXTRA];

	line = pw_str_trim(line);
	if (line.len == 0 || line.at[0] == '#')
		return PW_ERR_NOTFOUND;
	for (size_t i = 0; i < PW_LEN(fields); i++)
		fields[i] = pw_str_cut(&line, ':');
	if (fields[FIELD_USER].len == 0)
		return PW_ERR_SYNTAX;
	*out = (struct pw_passwd_entry){ .user = fields[FIELD_USER],
		                         .password = fields[FIELD_PASSWORD],
		                         .gecos = fields[FIELD_GECOS],
		                         .extra = line };
	return PW_OK;
}

bool pw_passwd_next_extra(struct pw_str *rest, struct pw_str *name_out,
                          struct pw_str *value_out)
{
	struct pw_str field;

	do {
		if (rest->len == 0)
			return false;
		field = pw_str_cut(rest, ' ');
	} while (field.len == 0);
	*name_out = pw_str_cut(&field, '=');
	*value_out = field;
	return true;
}
