#include "tools/dkim/opendkim.h"

#include "core/buf.h"
#include "core/pairs.h"

#define MEMORY_MAX ((size_t)64 * 1024 * 1024)

enum pw_status opendkim_init(struct opendkim *o)
{
	*o = (struct opendkim){ 0 };
	o->keys_end = &o->keys;
	o->wishes_end = &o->wishes;
	o->left_end = &o->left;
	return pw_arena_new(&o->arena, MEMORY_MAX);
}

void opendkim_done(struct opendkim *o)
{
	pw_arena_free(&o->arena);
}

static void *take_memory(struct opendkim *o, size_t size)
{
	void *p = pw_arena_alloc(o->arena, size);

	if (!p)
		o->status = PW_ERR_NOMEM;
	return p;
}

static struct pw_str copy(struct opendkim *o, struct pw_str text)
{
	struct pw_str out = { "", 0 };

	if (pw_arena_copy(o->arena, text, &out) != PW_OK)
		o->status = PW_ERR_NOMEM;
	return out;
}

void opendkim_leave(struct opendkim *o, const char *file, unsigned int line,
                    struct pw_str what, const char *why)
{
	struct opendkim_left *left = take_memory(o, sizeof(*left));

	if (!left)
		return;
	*left = (struct opendkim_left){ copy(o, what), why, file, line, NULL };
	*o->left_end = left;
	o->left_end = &left->next;
}

static bool is_percent(struct pw_str s)
{
	return pw_str_eq(s, PW_STR("%"));
}

/* "%" stands for the domain of the sender. */
static struct pw_str expand(struct opendkim *o, struct pw_str text, struct pw_str domain)
{
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '%')
			pw_buf_puts(&out, domain);
		else
			pw_buf_putc(&out, text.at[i]);
	}
	if (pw_buf_status(&out) != PW_OK)
		o->status = PW_ERR_NOMEM;
	return copy(o, pw_buf_str(&out));
}

/* NULL: can be added. */
static const char *why_not_again(const struct opendkim *o, struct pw_str domain,
                                 struct pw_str selector)
{
	for (const struct opendkim_wish *w = o->wishes; w; w = w->next) {
		if (!pw_str_eq_nocase(w->domain, domain))
			continue;
		if (pw_str_eq_nocase(w->selector, selector))
			return ""; /* the same key once more */
		if (!o->is_multiple)
			return "an earlier line signs for the domain, and only the first "
			       "one "
			       "counts (MultipleSignatures)";
	}
	return NULL;
}

void opendkim_wish(struct opendkim *o, const char *file, unsigned int line,
                   struct pw_str domain, struct pw_str selector, struct pw_str path)
{
	const char *why = why_not_again(o, domain, selector);
	struct opendkim_wish *wish;

	if (why) {
		if (why[0])
			opendkim_leave(o, file, line, selector, why);
		return;
	}
	if (!(wish = take_memory(o, sizeof(*wish))))
		return;
	*wish = (struct opendkim_wish){ copy(o, domain),
		                        copy(o, selector),
		                        expand(o, path, domain),
		                        file,
		                        line,
		                        NULL };
	*o->wishes_end = wish;
	o->wishes_end = &wish->next;
}

/* opendkim.conf(5): a path begins with /, ./ or ../; all else is the key itself. */
static bool is_path(struct pw_str s)
{
	return pw_str_starts(s, PW_STR("/")) || pw_str_starts(s, PW_STR("./")) ||
	       pw_str_starts(s, PW_STR("../"));
}

static void add_key(struct opendkim *o, const char *file, const struct pw_pair *pair)
{
	struct pw_str rest = pair->value;
	struct pw_str domain = pw_str_trim(pw_str_cut(&rest, ':'));
	struct pw_str selector = pw_str_trim(pw_str_cut(&rest, ':'));
	struct pw_str path = pw_str_trim(rest);
	struct opendkim_key *key;

	if (!(key = take_memory(o, sizeof(*key))))
		return;
	*key = (struct opendkim_key){ copy(o, pair->name),
		                      copy(o, domain),
		                      copy(o, selector),
		                      copy(o, path),
		                      file,
		                      pair->line,
		                      true,
		                      true,
		                      NULL };
	*o->keys_end = key;
	o->keys_end = &key->next;
	if (domain.len == 0 || selector.len == 0 || path.len == 0)
		opendkim_leave(o, file, pair->line, pair->name,
		               "is not domain:selector:file");
	else if (!is_path(path))
		opendkim_leave(
			o, file, pair->line, pair->name,
			"has the key in the table itself: put it into a file, then "
			"postwardctl dkim import DOMAIN SELECTOR FILE");
	else
		key->is_broken = key->is_known = false;
}

void opendkim_read_keys(struct opendkim *o, const char *file, struct pw_str text)
{
	struct pw_pairs pairs = { .rest = text,
		                  .next_line = 1,
		                  .has_comments_anywhere = true };
	struct pw_pair pair;

	while (pw_pairs_next(&pairs, &pair))
		add_key(o, file, &pair);
}

enum opendkim_scope opendkim_scope(struct pw_str pattern, bool is_refile,
                                   struct pw_str *domain_out)
{
	size_t at = pw_str_rfind(pattern, '@');
	struct pw_str local = pw_str_sub(pattern, 0, at);
	struct pw_str domain = pw_str_sub(pattern, at + 1, pattern.len);
	bool is_any = pw_str_eq(local, PW_STR("*"));

	*domain_out = domain;
	if (is_any && (at == pattern.len || pw_str_eq(domain, PW_STR("*"))))
		return OPENDKIM_ALL;
	if (at == pattern.len) { /* no @ */
		*domain_out = pattern;
		if (pw_str_find(pattern, '*') < pattern.len)
			return OPENDKIM_SUBDOMAINS;
		if (is_refile || pattern.len == 0)
			return OPENDKIM_NOTHING;
		return pattern.at[0] == '.' ? OPENDKIM_SUBDOMAINS : OPENDKIM_DOMAIN;
	}
	if (!is_any)
		return OPENDKIM_ADDRESS;
	if (domain.len == 0)
		return OPENDKIM_NOTHING;
	return pw_str_find(domain, '*') < domain.len || domain.at[0] == '.'
	               ? OPENDKIM_SUBDOMAINS
	               : OPENDKIM_DOMAIN;
}

static struct opendkim_key *find_key(const struct opendkim *o, struct pw_str name)
{
	struct opendkim_key *key = o->keys;

	while (key && !pw_str_eq_nocase(key->name, name))
		key = key->next;
	return key;
}

/* NULL: the line is one of ours. */
static const char *why_scope(enum opendkim_scope scope)
{
	switch (scope) {
	case OPENDKIM_ADDRESS:
		return "signs for single addresses; here a key signs for all of its "
		       "domain";
	case OPENDKIM_SUBDOMAINS:
		return "signs for subdomains with one key; here each domain has its own";
	case OPENDKIM_NOTHING:
		return "matches no address in a refile: table; *@DOMAIN would";
	case OPENDKIM_DOMAIN:
	case OPENDKIM_ALL:
		break;
	}
	return NULL;
}

/* Which domain a line has sign with the key, or why none. */
static const char *judge(const struct opendkim_key *key, enum opendkim_scope scope,
                         struct pw_str *domain)
{
	const char *why = why_scope(scope);

	if (why)
		return why;
	if (scope == OPENDKIM_ALL && is_percent(key->domain))
		return "signs for every domain with one key: import it for each, "
		       "postwardctl dkim import DOMAIN SELECTOR FILE";
	if (scope == OPENDKIM_ALL)
		*domain = key->domain;
	if (!is_percent(key->domain) && !pw_str_eq_nocase(key->domain, *domain))
		return "signs for one domain in the name of another; here the domain of "
		       "From "
		       "signs";
	return NULL;
}

static void sign(struct opendkim *o, const char *file, const struct pw_pair *pair,
                 bool is_refile)
{
	struct pw_str name = pw_str_trim(pair->value), domain;
	enum opendkim_scope scope = opendkim_scope(pair->name, is_refile, &domain);
	struct opendkim_key *key;
	const char *why;

	name = pw_str_trim(pw_str_cut(&name, ':')); /* then may come i= */
	key = find_key(o, is_percent(name) ? domain : name);
	if (!key) {
		opendkim_leave(o, file, pair->line, pair->name,
		               "names a key that is not in the KeyTable");
		return;
	}
	if (key->is_broken)
		return;
	key->is_known = true;
	if ((why = judge(key, scope, &domain)) != NULL)
		opendkim_leave(o, file, pair->line, pair->name, why);
	else
		opendkim_wish(o, file, pair->line, domain, key->selector, key->path);
}

void opendkim_read_signing(struct opendkim *o, const char *file, struct pw_str text,
                           bool is_refile)
{
	struct pw_pairs pairs = { .rest = text,
		                  .next_line = 1,
		                  .has_comments_anywhere = true };
	struct pw_pair pair;

	while (pw_pairs_next(&pairs, &pair))
		sign(o, file, &pair, is_refile);
}

void opendkim_take_all(struct opendkim *o)
{
	for (struct opendkim_key *key = o->keys; key; key = key->next) {
		if (key->is_known)
			continue;
		key->is_known = true;
		if (is_percent(key->domain))
			opendkim_leave(o, key->file, key->line, key->name,
			               "is for any domain: import it for each");
		else
			opendkim_wish(o, key->file, key->line, key->domain, key->selector,
			              key->path);
	}
}

void opendkim_settle(struct opendkim *o)
{
	for (struct opendkim_key *key = o->keys; key; key = key->next)
		if (!key->is_known)
			opendkim_leave(o, key->file, key->line, key->name,
			               "is used by no line of the SigningTable");
}
