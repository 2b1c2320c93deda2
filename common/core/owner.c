#include "core/owner.h"

#include <stdlib.h>
#include <string.h>

#include "core/address.h"
#include "core/arena.h"
#include "core/map.h"

/* One flat table: the key is login NUL pattern (a NUL occurs in neither), so that a
 * question costs three look-ups however many addresses a login has. "login NUL" alone
 * says that the login has rows; its value, whether its own address is among them, as it
 * nearly always is: that takes no row. */
struct pw_owner {
	struct pw_map *rows;
	struct pw_arena *text;
	size_t count;
	char delimiter;
	char is_own; /* its address is the value where it is, owner itself where it is not
	              */
};

struct key {
	char at[2 * PW_OWNER_NAME_MAX + 1];
	size_t len;
};

static void key_append(struct key *key, struct pw_str s)
{
	if (s.len > 0)
		memcpy(key->at + key->len, s.at, s.len);
	key->len += s.len;
}

/* Is there a row of login with this local part (maybe empty) and "@domain"? */
static bool has_row(const struct pw_owner *owner, struct pw_str login,
                    struct pw_str local, struct pw_str at_domain)
{
	struct key key = { .len = 0 };
	struct pw_str pattern;

	key_append(&key, login);
	key_append(&key, PW_STR("\0"));
	key_append(&key, local);
	key_append(&key, at_domain);
	pattern = (struct pw_str){ key.at + login.len + 1, key.len - login.len - 1 };
	if (pw_str_eq(pattern, login))
		return pw_map_get(owner->rows,
		                  (struct pw_str){ key.at, login.len + 1 }) ==
		       &owner->is_own;
	return pw_map_get(owner->rows, (struct pw_str){ key.at, key.len }) != NULL;
}

enum pw_status pw_owner_new(struct pw_owner **out, const uint8_t seed[16], char delimiter)
{
	PW_AUTO(pw_owner_free) struct pw_owner *owner = calloc(1, sizeof(*owner));
	enum pw_status r;

	if (owner == NULL)
		return PW_ERR_NOMEM;
	owner->delimiter = delimiter;
	if ((r = pw_map_new(&owner->rows, seed, PW_OWNER_ROWS_MAX)) != PW_OK)
		return r;
	if ((r = pw_arena_new(&owner->text, SIZE_MAX / 2)) != PW_OK)
		return r;
	*out = PW_TAKE(owner);
	return PW_OK;
}

void pw_owner_free(struct pw_owner **owner)
{
	if (*owner == NULL)
		return;
	pw_map_free(&(*owner)->rows);
	pw_arena_free(&(*owner)->text);
	free(*owner);
	*owner = NULL;
}

/* Add a row that is not there yet; *is_new_out tells whether it was. */
static enum pw_status add_row(struct pw_owner *owner, struct pw_str login,
                              struct pw_str pattern, bool *is_new_out)
{
	struct key key = { .len = 0 };
	struct pw_str row;
	enum pw_status r;

	key_append(&key, login);
	key_append(&key, PW_STR("\0"));
	key_append(&key, pattern);
	row = (struct pw_str){ key.at, key.len };
	*is_new_out = pw_map_get(owner->rows, row) == NULL;
	if (!*is_new_out)
		return PW_OK;
	if ((r = pw_arena_copy(owner->text, row, &row)) != PW_OK)
		return r;
	return pw_map_put(owner->rows, row, owner);
}

/* login has rows already. */
static enum pw_status add_own(struct pw_owner *owner, struct pw_str login)
{
	struct key key = { .len = 0 };
	struct pw_str row;

	key_append(&key, login);
	key_append(&key, PW_STR("\0"));
	row = (struct pw_str){ key.at, key.len };
	owner->count += pw_map_get(owner->rows, row) != &owner->is_own;
	return pw_map_put(owner->rows, row, &owner->is_own);
}

/* An address, or "@domain", in normal form? The rows may come from a function of an
 * admin's own. */
static enum pw_status check_pattern(struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf normal = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf address = { 0 };
	enum pw_status r;

	if (text.len > PW_OWNER_NAME_MAX)
		return PW_ERR_SYNTAX;
	if (pw_str_starts(text, PW_STR("@")))
		pw_buf_putc(&address, 'x');
	pw_buf_puts(&address, text);
	if ((r = pw_buf_status(&address)) != PW_OK ||
	    (r = pw_address_normalise(&normal, pw_buf_str(&address))) != PW_OK)
		return r == PW_ERR_NOMEM ? r : PW_ERR_SYNTAX;
	return pw_str_eq(pw_buf_str(&normal), pw_buf_str(&address)) ? PW_OK
	                                                            : PW_ERR_SYNTAX;
}

enum pw_status pw_owner_add(struct pw_owner *owner, struct pw_str login,
                            struct pw_str pattern)
{
	bool is_new;
	enum pw_status r;

	if (login.len == 0 || login.len > PW_OWNER_NAME_MAX)
		return PW_ERR_SYNTAX;
	if ((r = check_pattern(pattern)) != PW_OK)
		return r;
	if ((r = add_row(owner, login, PW_STR(""), &is_new)) != PW_OK)
		return r;
	if (pw_str_eq(login, pattern))
		return add_own(owner, login);
	if ((r = add_row(owner, login, pattern, &is_new)) != PW_OK)
		return r;
	owner->count += is_new;
	return PW_OK;
}

/* By its address without the subaddress, quotes judged anew. */
static bool may_send_base(const struct pw_owner *owner, struct pw_str login,
                          struct pw_str address)
{
	char room[PW_OWNER_NAME_MAX + 1];
	PW_AUTO(pw_buf_done) struct pw_buf base = PW_BUF_IN(room);
	size_t at;

	if (!pw_address_put_base(&base, address, owner->delimiter))
		return false;
	at = pw_str_rfind(pw_buf_str(&base), '@');
	return has_row(owner, login, pw_str_sub(pw_buf_str(&base), 0, at),
	               pw_str_sub(pw_buf_str(&base), at, base.len));
}

bool pw_owner_may_send(const struct pw_owner *owner, struct pw_str login,
                       struct pw_str address)
{
	size_t at = pw_str_rfind(address, '@');
	struct pw_str local = pw_str_sub(address, 0, at);
	struct pw_str at_domain = pw_str_sub(address, at, address.len);

	if (login.len > PW_OWNER_NAME_MAX || address.len > PW_OWNER_NAME_MAX)
		return false;
	if (local.len == 0 || at_domain.len < 2)
		return false;
	return has_row(owner, login, local, at_domain) ||
	       may_send_base(owner, login, address) ||
	       has_row(owner, login, PW_STR(""), at_domain);
}

bool pw_owner_knows(const struct pw_owner *owner, struct pw_str login)
{
	return login.len <= PW_OWNER_NAME_MAX &&
	       has_row(owner, login, PW_STR(""), PW_STR(""));
}

size_t pw_owner_count(const struct pw_owner *owner)
{
	return owner->count;
}
