#include "tools/import/value.h"

#include "core/hash_text.h"
#include "core/utf8.h"

#define MIB 1048576

static void keep_status(struct import_plan *plan, enum pw_status r)
{
	if (plan->status == PW_OK)
		plan->status = r;
}

struct pw_str import_copy(struct import_plan *plan, struct pw_str text)
{
	struct pw_str copy = { NULL, 0 };

	if (text.at != NULL)
		keep_status(plan, pw_arena_copy(plan->arena, text, &copy));
	return copy;
}

struct pw_str import_words(struct import_plan *plan, struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf words = { 0 };

	if (text.at == NULL)
		return text;
	pw_utf8_put(&words, text);
	keep_status(plan, pw_buf_status(&words));
	return import_copy(plan, (struct pw_str){ pw_buf_text(&words), words.len });
}

struct pw_str import_number(struct import_plan *plan, int64_t n)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	pw_buf_put_int(&text, n);
	keep_status(plan, pw_buf_status(&text));
	return import_copy(plan, pw_buf_str(&text));
}

struct pw_str import_bool(bool is_true)
{
	return is_true ? PW_STR("true") : PW_STR("false");
}

void import_set_password(struct import_plan *plan, struct import_row *user,
                         struct pw_str hash)
{
	PW_AUTO(pw_buf_done) struct pw_buf named = { 0 };
	enum pw_hash_kind kind = pw_hash_name(&named, pw_str_trim(hash));

	if (kind == PW_HASH_NAMED) {
		keep_status(plan, pw_buf_status(&named));
		user->values[USER_PASSWORD] = import_copy(plan, pw_buf_str(&named));
		return;
	}
	import_note(plan, &plan->locked, user->place, user->values[USER_EMAIL],
	            pw_str_from(pw_hash_kind_text(kind)));
}

void import_set_quota(struct import_plan *plan, struct import_row *user, int64_t bytes)
{
	int64_t whole = bytes > 0 ? bytes / MIB + (bytes % MIB > 0) : 0;

	user->values[USER_QUOTA_MB] = import_number(plan, whole);
}
