#include "origin/strip.h"

#include <string.h>

#define MORE_MAX 8
/* In front of each name: does the field stay? */
#define KEPT '+'
#define TAKEN '-'

bool strip_is_ours(struct pw_str name)
{
	return pw_str_starts_nocase(name, PW_STR("Postward-"));
}

void strip_see(struct strip *strip, struct pw_str name, bool is_kept)
{
	strip->count++;
	strip->taken += !is_kept;
	if (strip->taken > STRIP_MAX) /* refused anyway: fill no memory */
		return;
	pw_buf_putc(&strip->names, is_kept ? KEPT : TAKEN);
	pw_buf_puts(&strip->names, name);
	pw_buf_putc(&strip->names, '\0');
}

void strip_reset(struct strip *strip)
{
	pw_buf_reset(&strip->names);
	strip->count = strip->taken = 0;
}

void strip_done(struct strip *strip)
{
	pw_buf_done(&strip->names);
}

/* The n-th field of a name is what Postfix deletes: how many of that name are before?
 */
static int place_of(const struct pw_buf *names, const char *entry)
{
	int place = 1;

	for (const char *p = names->at; p < entry; p += strlen(p) + 1)
		place += pw_str_eq_nocase(pw_str_from(p + 1), pw_str_from(entry + 1));
	return place;
}

enum pw_status strip_plan(const struct strip *strip, struct kit_edit *out,
                          size_t *count_out)
{
	enum pw_status r = pw_buf_status(&strip->names);
	size_t count = 0;

	if (r != PW_OK || strip->taken > STRIP_MAX)
		return r != PW_OK ? r : PW_ERR_LIMIT;
	for (size_t i = 0; i < strip->names.len; i += strlen(strip->names.at + i) + 1) {
		const char *p = strip->names.at + i;

		if (*p == TAKEN)
			out[count++] = (struct kit_edit){
				.kind = KIT_DELETE,
				.index = place_of(&strip->names, p),
				.name = p + 1,
			};
	}
	*count_out = count;
	return PW_OK;
}

enum pw_status strip_apply(const struct strip *strip, struct kit_session *s,
                           const struct kit_edit *more, size_t more_count)
{
	struct kit_edit edits[STRIP_MAX + MORE_MAX];
	size_t count;
	enum pw_status r;

	if (more_count > MORE_MAX)
		return PW_ERR_STATE;
	if ((r = strip_plan(strip, edits, &count)) != PW_OK)
		return r;
	for (size_t i = 0; i < more_count; i++)
		edits[count++] = more[i];
	return count > 0 ? kit_apply(s, edits, count) : PW_OK;
}
