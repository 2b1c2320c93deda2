#include "policyd/usage_line.h"

#include "core/address.h"

/* The mailbox of that name; NULL and an answer in out where there is none. */
static const struct catalog_entry *known_mailbox(struct pw_buf *out, struct pw_str user,
                                                 const struct usage_world *world)
{
	const struct catalog_entry *entry =
		world->catalog != NULL ? catalog_find(world->catalog, user) : NULL;

	if (entry != NULL && entry->is_mailbox)
		return entry;
	pw_buf_puts(out, world->is_fresh ? PW_STR("unknown\n") : PW_STR("fail\n"));
	return NULL;
}

static enum pw_status answer_limit(struct pw_buf *out, struct pw_str user,
                                   const struct pw_str *numbers,
                                   const struct usage_world *world)
{
	const struct catalog_entry *entry = known_mailbox(out, user, world);

	(void)numbers;
	if (entry != NULL) {
		pw_buf_puts(out, PW_STR("ok\t"));
		pw_buf_put_int(out, entry->quota_bytes);
		pw_buf_puts(out, PW_STR("\t0\n"));
	}
	return pw_buf_status(out);
}

/* Numbers beyond int64 are as clamped as those beyond USAGE_NUMBER_MAX. */
static enum pw_status number_of(struct pw_str text, int64_t *out)
{
	enum pw_status r = pw_str_to_int64(text, INT64_MIN, INT64_MAX, out);

	if (r == PW_ERR_RANGE) {
		*out = text.at[0] == '-' ? 0 : USAGE_NUMBER_MAX;
		r = PW_OK;
	}
	return r;
}

static enum pw_status answer_usage(struct pw_buf *out, struct pw_str user,
                                   const struct pw_str *numbers,
                                   const struct usage_world *world)
{
	int64_t bytes, messages;
	enum pw_status r;

	if ((r = number_of(numbers[0], &bytes)) != PW_OK ||
	    (r = number_of(numbers[1], &messages)) != PW_OK)
		return r;
	if (known_mailbox(out, user, world) == NULL)
		return pw_buf_status(out);
	r = usage_set(world->usage, user, bytes, messages);
	pw_buf_puts(out, r == PW_OK ? PW_STR("ok\n") : PW_STR("fail\n"));
	return pw_buf_status(out);
}

static const struct request {
	struct pw_str word;
	size_t numbers;
	enum pw_status (*answer)(struct pw_buf *out, struct pw_str user,
	                         const struct pw_str *numbers,
	                         const struct usage_world *world);
} requests[] = {
	{ { "limit", 5 }, 0, answer_limit },
	{ { "usage", 5 }, 2, answer_usage },
};

/* Cut rest at its tabs into exactly count fields. */
static bool cut_fields(struct pw_str rest, struct pw_str *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (rest.at == NULL)
			return false;
		fields[i] = pw_str_cut(&rest, '\t');
	}
	return rest.at == NULL;
}

enum pw_status usage_line_answer(struct pw_buf *out, struct pw_str line,
                                 const struct usage_world *world)
{
	PW_AUTO(pw_buf_done) struct pw_buf user = { 0 };
	struct pw_str word = pw_str_cut(&line, '\t'), fields[3];

	for (size_t i = 0; i < PW_LEN(requests); i++) {
		if (!pw_str_eq(requests[i].word, word))
			continue;
		if (!cut_fields(line, fields, 1 + requests[i].numbers) ||
		    fields[0].len == 0)
			return PW_ERR_SYNTAX;
		/* what is no address is nobody's mailbox: it stays as it is */
		if (pw_address_normalise(&user, fields[0]) != PW_OK)
			pw_buf_puts(&user, fields[0]);
		return requests[i].answer(out, pw_buf_str(&user), &fields[1], world);
	}
	return PW_ERR_SYNTAX;
}
