#include "dkim/forwards.h"

#include <stdlib.h>

#include "core/address.h"
#include "core/arena.h"
#include "core/map.h"

#define ENTRIES_MAX 10000000
#define BYTES_MAX ((size_t)2 * 1024 * 1024 * 1024)

struct forwards {
	struct pw_map *addresses; /* &outside or &inside */
	struct pw_map *domains;   /* struct pw_str: the domain it is or stands for */
	struct pw_arena *arena;
	char delimiter;
};

static const char outside = 'o', inside = 'i';

enum pw_status forwards_new(struct forwards **out, const uint8_t seed[16], char delimiter)
{
	PW_AUTO(forwards_free) struct forwards *forwards = calloc(1, sizeof(*forwards));
	enum pw_status r;

	if (!forwards)
		return PW_ERR_NOMEM;
	forwards->delimiter = delimiter;
	if ((r = pw_map_new(&forwards->addresses, seed, ENTRIES_MAX)) != PW_OK ||
	    (r = pw_map_new(&forwards->domains, seed, ENTRIES_MAX)) != PW_OK ||
	    (r = pw_arena_new(&forwards->arena, BYTES_MAX)) != PW_OK)
		return r;
	*out = PW_TAKE(forwards);
	return PW_OK;
}

void forwards_free(struct forwards **forwards)
{
	if (!*forwards)
		return;
	pw_map_free(&(*forwards)->addresses);
	pw_map_free(&(*forwards)->domains);
	pw_arena_free(&(*forwards)->arena);
	free(*forwards);
	*forwards = NULL;
}

enum pw_status forwards_add(struct forwards *forwards, struct pw_str address,
                            bool is_outside)
{
	static const char *const marks[] = { &inside, &outside };
	struct pw_str copy;
	enum pw_status r = pw_arena_copy(forwards->arena, address, &copy);

	if (r != PW_OK)
		return r;
	return pw_map_put(forwards->addresses, copy,
	                  (void *)(uintptr_t)marks[is_outside]);
}

enum pw_status forwards_add_domain(struct forwards *forwards, struct pw_str name,
                                   struct pw_str target)
{
	struct pw_str *home = pw_arena_alloc(forwards->arena, sizeof(*home));
	struct pw_str copy;
	enum pw_status r;

	if (!home)
		return PW_ERR_NOMEM;
	if ((r = pw_arena_copy(forwards->arena, name, &copy)) != PW_OK ||
	    (r = pw_arena_copy(forwards->arena, target.len > 0 ? target : name, home)) !=
	            PW_OK)
		return r;
	return pw_map_put(forwards->domains, copy, home);
}

struct pw_str forwards_domain(const struct forwards *forwards, struct pw_str name)
{
	const struct pw_str *home = pw_map_get(forwards->domains, name);

	return home ? *home : (struct pw_str){ NULL, 0 };
}

/* Its mark, or NULL: not known. */
static const void *look(const struct forwards *forwards, const struct pw_buf *address)
{
	return pw_map_get(forwards->addresses, pw_buf_str(address));
}

enum pw_status forwards_find(const struct forwards *forwards, struct pw_str recipient,
                             struct pw_str *domain_out)
{
	PW_AUTO(pw_buf_done) struct pw_buf address = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf base = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf all = { 0 };
	size_t at = pw_str_rfind(recipient, '@');
	struct pw_str home =
		forwards_domain(forwards, pw_str_sub(recipient, at + 1, recipient.len));
	const void *mark;

	if (at == recipient.len || home.at == NULL)
		return PW_ERR_NOTFOUND;
	pw_buf_puts(&address, pw_str_sub(recipient, 0, at + 1));
	pw_buf_puts(&address, home);
	pw_buf_putc(&all, '@');
	pw_buf_puts(&all, home);
	if (pw_buf_status(&address) != PW_OK || pw_buf_status(&all) != PW_OK)
		return PW_ERR_NOMEM;
	mark = look(forwards, &address);
	if (!mark &&
	    pw_address_put_base(&base, pw_buf_str(&address), forwards->delimiter))
		mark = look(forwards, &base);
	if (!mark)
		mark = look(forwards, &all);
	if (mark != &outside)
		return PW_ERR_NOTFOUND;
	*domain_out = home;
	return PW_OK;
}
