#include "mail/dkim_names.h"

#include "core/header.h"

static const struct pw_dkim_name defaults[] = {
	/* clang-format off */
	{ { "From", 4 },                       PW_DKIM_ALWAYS },
	{ { "Sender", 6 },                     PW_DKIM_IF_THERE },
	{ { "Reply-To", 8 },                   PW_DKIM_ALWAYS },
	{ { "To", 2 },                         PW_DKIM_IF_THERE },
	{ { "Cc", 2 },                         PW_DKIM_ALWAYS },
	{ { "Subject", 7 },                    PW_DKIM_ALWAYS },
	{ { "Date", 4 },                       PW_DKIM_IF_THERE },
	{ { "Message-ID", 10 },                PW_DKIM_IF_THERE },
	{ { "In-Reply-To", 11 },               PW_DKIM_AS_OFTEN },
	{ { "References", 10 },                PW_DKIM_AS_OFTEN },
	{ { "MIME-Version", 12 },              PW_DKIM_IF_THERE },
	{ { "Content-Type", 12 },              PW_DKIM_IF_THERE },
	{ { "Content-Transfer-Encoding", 25 }, PW_DKIM_IF_THERE },
	{ { "Content-Disposition", 19 },       PW_DKIM_IF_THERE },
	{ { "Resent-Date", 11 },               PW_DKIM_AS_OFTEN },
	{ { "Resent-From", 11 },               PW_DKIM_AS_OFTEN },
	{ { "Resent-Sender", 13 },             PW_DKIM_AS_OFTEN },
	{ { "Resent-To", 9 },                  PW_DKIM_AS_OFTEN },
	{ { "Resent-Cc", 9 },                  PW_DKIM_AS_OFTEN },
	{ { "Resent-Message-ID", 17 },         PW_DKIM_AS_OFTEN },
	{ { "List-Id", 7 },                    PW_DKIM_AS_OFTEN },
	{ { "List-Help", 9 },                  PW_DKIM_AS_OFTEN },
	{ { "List-Unsubscribe", 16 },          PW_DKIM_AS_OFTEN },
	{ { "List-Unsubscribe-Post", 21 },     PW_DKIM_AS_OFTEN },
	{ { "List-Subscribe", 14 },            PW_DKIM_AS_OFTEN },
	{ { "List-Post", 9 },                  PW_DKIM_AS_OFTEN },
	{ { "List-Owner", 10 },                PW_DKIM_AS_OFTEN },
	{ { "List-Archive", 12 },              PW_DKIM_AS_OFTEN },
	{ { "Autocrypt", 9 },                  PW_DKIM_AS_OFTEN },
	/* clang-format on */
};
static const struct pw_dkim_names default_names = { defaults, PW_LEN(defaults) };

/* Changed, removed or added on the way (RFC 6376 5.4, cleanup(8)). */
static const struct pw_str never[] = {
	{ "Received", 8 },
	{ "Return-Path", 11 },
	{ "Bcc", 3 },
	{ "Resent-Bcc", 10 },
	{ "Content-Length", 14 },
	{ "DKIM-Signature", 14 },
	{ "Authentication-Results", 22 },
	{ "ARC-Seal", 8 },
	{ "ARC-Message-Signature", 21 },
	{ "ARC-Authentication-Results", 26 },
};

const struct pw_dkim_names *pw_dkim_names_default(void)
{
	return &default_names;
}

static const struct pw_dkim_name *find(const struct pw_dkim_name *at, size_t count,
                                       struct pw_str name)
{
	for (size_t i = 0; i < count; i++)
		if (pw_str_eq_nocase(at[i].name, name))
			return &at[i];
	return NULL;
}

bool pw_dkim_names_has(const struct pw_dkim_names *names, struct pw_str name)
{
	return find(names->at, names->count, name) != NULL;
}

static bool is_signable(struct pw_str name)
{
	for (size_t i = 0; i < PW_LEN(never); i++)
		if (pw_str_eq_nocase(name, never[i]))
			return false;
	return pw_header_name_is_valid(name) && pw_str_find(name, ';') == name.len;
}

struct list {
	struct pw_dkim_name at[PW_DKIM_NAMES_MAX];
	size_t count;
};

/* A name twice counts once. */
static enum pw_status add(struct list *list, struct pw_str name)
{
	const struct pw_dkim_name *known = find(defaults, PW_LEN(defaults), name);

	if (!is_signable(name))
		return PW_ERR_SYNTAX;
	if (find(list->at, list->count, name))
		return PW_OK;
	if (list->count == PW_DKIM_NAMES_MAX)
		return PW_ERR_LIMIT;
	list->at[list->count++] =
		(struct pw_dkim_name){ known ? known->name : name,
		                       known ? known->oversign : PW_DKIM_AS_OFTEN };
	return PW_OK;
}

/* The next word; false: there is none. */
static bool next_word(struct pw_str *rest, struct pw_str *word_out)
{
	while (rest->at != NULL) {
		*word_out = pw_str_cut(rest, ' ');
		if (word_out->len > 0)
			return true;
	}
	return false;
}

static enum pw_status read_headers(struct list *list, struct pw_str headers)
{
	struct pw_str rest = headers, word;
	enum pw_status r = add(list, PW_STR("From"));
	bool has_defaults = !next_word(&rest, &word) || pw_str_eq(word, PW_STR("+"));

	for (size_t i = 0; has_defaults && i < PW_LEN(defaults) && r == PW_OK; i++)
		r = add(list, defaults[i].name);
	if (!has_defaults)
		rest = headers;
	while (r == PW_OK && next_word(&rest, &word))
		r = add(list, word);
	return r;
}

static enum pw_status read_oversign(struct list *list, struct pw_str oversign)
{
	struct pw_str word;

	if (oversign.len == 0)
		return PW_OK;
	for (size_t i = 1; i < list->count; i++) /* the first is From */
		list->at[i].oversign = PW_DKIM_AS_OFTEN;
	while (next_word(&oversign, &word)) {
		size_t i = 0;

		while (i < list->count && !pw_str_eq_nocase(list->at[i].name, word))
			i++;
		if (i == list->count)
			return PW_ERR_SYNTAX;
		list->at[i].oversign = PW_DKIM_ALWAYS;
	}
	return PW_OK;
}

enum pw_status pw_dkim_names_parse(const struct pw_dkim_names **out,
                                   struct pw_arena *arena, struct pw_str headers,
                                   struct pw_str oversign)
{
	struct list list = { .count = 0 };
	struct pw_dkim_names *names;
	struct pw_dkim_name *at;
	enum pw_status r;

	if ((r = read_headers(&list, headers)) != PW_OK ||
	    (r = read_oversign(&list, oversign)) != PW_OK)
		return r;
	names = pw_arena_alloc(arena, sizeof(*names));
	at = pw_arena_array(arena, list.count, sizeof(*at));
	if (!names || !at)
		return PW_ERR_NOMEM;
	for (size_t i = 0; i < list.count; i++) {
		at[i].oversign = list.at[i].oversign;
		if ((r = pw_arena_copy(arena, list.at[i].name, &at[i].name)) != PW_OK)
			return r;
	}
	*names = (struct pw_dkim_names){ at, list.count };
	*out = names;
	return PW_OK;
}
