#include "tools/setup/list.h"

#include "tools/postconf.h"

/* Words of restrictions with which the walk through the list ends for everybody. */
static const struct pw_str last_words[] = { PW_STR("permit"), PW_STR("reject"),
	                                    PW_STR("defer") };
static const struct pw_str refusals[] = { PW_STR("reject_unauth_destination"),
	                                  PW_STR("reject"), PW_STR("defer") };
static const struct pw_str refusal_for_now = PW_STR("defer_unauth_destination");
/* The word behind it is only logged. */
static const struct pw_str trial = PW_STR("warn_if_reject");

static bool is_gap(char c)
{
	return c == ' ' || c == '\t' || c == ',' || c == '\r' || c == '\n';
}

static bool is_one_of(struct pw_str item, const struct pw_str *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (pw_str_eq_nocase(item, words[i]))
			return true;
	return false;
}

/* Inside of a group its first word counts. */
static bool item_names(struct pw_str item, struct pw_str what)
{
	struct pw_str rest = item, word;

	if (item.len < 2 || item.at[0] != '{')
		return pw_str_eq(item, what);
	rest = pw_str_sub(item, 1, item.len - 2);
	return postconf_next_item(&rest, &word) && pw_str_eq(word, what);
}

bool setup_list_names(struct pw_str list, struct pw_str what)
{
	struct pw_str item;

	while (postconf_next_item(&list, &item))
		if (item_names(item, what))
			return true;
	return false;
}

static void join(struct pw_buf *out, struct pw_str before, struct pw_str item,
                 struct pw_str after)
{
	while (before.len > 0 && is_gap(before.at[before.len - 1]))
		before.len--;
	while (after.len > 0 && is_gap(after.at[0]))
		after = pw_str_sub(after, 1, after.len);
	pw_buf_puts(out, before);
	if (before.len > 0)
		pw_buf_puts(out, PW_STR(", "));
	pw_buf_puts(out, item);
	if (after.len > 0)
		pw_buf_puts(out, PW_STR(", "));
	pw_buf_puts(out, after);
}

/* Where the first item begins that is one of these; list.len if none is. */
static size_t position(struct pw_str list, const struct pw_str *words, size_t count)
{
	struct pw_str rest = list, item;
	bool is_trial = false;

	while (postconf_next_item(&rest, &item)) {
		if (!is_trial && is_one_of(item, words, count))
			return (size_t)(item.at - list.at);
		is_trial = pw_str_eq_nocase(item, trial);
	}
	return list.len;
}

void setup_list_add(struct pw_buf *out, struct pw_str list, struct pw_str item,
                    struct pw_str key, enum setup_place place)
{
	size_t at = place == SETUP_FIRST ? 0
	            : place == SETUP_LAST
	                    ? list.len
	                    : position(list, last_words, PW_LEN(last_words));

	if (setup_list_names(list, key)) {
		pw_buf_puts(out, list);
		return;
	}
	join(out, pw_str_sub(list, 0, at), item, pw_str_sub(list, at, list.len));
}

void setup_list_exchange(struct pw_buf *out, struct pw_str list, struct pw_str old,
                         struct pw_str item)
{
	const char *done = list.at;
	struct pw_str rest = list, word;

	while (postconf_next_item(&rest, &word)) {
		if (!pw_str_eq(word, old))
			continue;
		pw_buf_puts(out, (struct pw_str){ done, (size_t)(word.at - done) });
		pw_buf_puts(out, item);
		done = word.at + word.len;
	}
	pw_buf_puts(out, pw_str_sub(list, list.len > 0 ? (size_t)(done - list.at) : 0,
	                            list.len));
}

void setup_list_without(struct pw_buf *out, struct pw_str list,
                        bool (*is_unwanted)(struct pw_str item, const void *arg),
                        const void *arg)
{
	struct pw_str rest = list, item;
	bool is_whole = true;
	size_t before = out->len;

	while (postconf_next_item(&rest, &item)) {
		if (is_unwanted(item, arg)) {
			is_whole = false;
			continue;
		}
		if (out->len > before)
			pw_buf_puts(out, PW_STR(", "));
		pw_buf_puts(out, item);
	}
	if (is_whole) {
		pw_buf_truncate(out, before);
		pw_buf_puts(out, list);
	}
}

void setup_list_close_relay(struct pw_buf *out, struct pw_str list)
{
	size_t refusal = position(list, refusals, PW_LEN(refusals));
	size_t later = position(list, &refusal_for_now, 1);
	size_t permit = position(list, last_words, 1);
	size_t at = later < permit ? later : permit;

	if (refusal < at) {
		pw_buf_puts(out, list);
		return;
	}
	join(out, pw_str_sub(list, 0, at), refusals[0],
	     pw_str_sub(list, later < permit ? later + refusal_for_now.len : at,
	                list.len));
}
