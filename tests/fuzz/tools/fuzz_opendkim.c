/* The keys to import, written down as tables of their own, are the same keys. The two
 * tables are parted by a zero byte. */
#include <stdlib.h>

#include "core/address.h"
#include "core/buf.h"
#include "tools/dkim/opendkim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_tables(struct opendkim *o, struct pw_str keys, struct pw_str signing)
{
	if (opendkim_init(o) != PW_OK)
		abort();
	o->is_multiple = true;
	opendkim_read_keys(o, "keys", keys);
	if (signing.at)
		opendkim_read_signing(o, "signing", signing, true);
	else
		opendkim_take_all(o);
	opendkim_settle(o);
}

/* What is no domain, and the database refuses, may hold what parts the tables. */
static bool is_plain(const struct opendkim_wish *w)
{
	return pw_domain_is_valid(w->domain) && pw_str_find(w->path, '%') == w->path.len;
}

static void write_down(struct pw_buf *keys, struct pw_buf *signing, struct pw_buf *all,
                       const struct opendkim *o)
{
	unsigned int n = 0;

	for (const struct opendkim_wish *w = o->wishes; w; w = w->next) {
		if (w->domain.len == 0 || w->selector.len == 0 || w->path.len == 0)
			abort();
		if (!is_plain(w))
			continue;
		pw_buf_printf(keys, "k%u %.*s:%.*s:%.*s\n", n, PW_FMT(w->domain),
		              PW_FMT(w->selector), PW_FMT(w->path));
		pw_buf_printf(signing, "*@%.*s k%u\n", PW_FMT(w->domain), n++);
		pw_buf_printf(all, "%.*s %.*s %.*s\n", PW_FMT(w->domain),
		              PW_FMT(w->selector), PW_FMT(w->path));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str rest = { (const char *)data, size };
	struct pw_str keys = pw_str_cut(&rest, '\0');
	PW_AUTO(pw_buf_done) struct pw_buf key_table = { 0 }, signing_table = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf once = { 0 }, twice = { 0 }, none = { 0 };
	PW_AUTO(opendkim_done) struct opendkim first = { 0 }, second = { 0 };

	if (pw_str_find(rest, '\0') < rest.len)
		return 0;
	read_tables(&first, keys, rest);
	write_down(&key_table, &signing_table, &once, &first);
	read_tables(&second, pw_buf_str(&key_table),
	            (struct pw_str){ pw_buf_text(&signing_table), signing_table.len });
	write_down(&none, &none, &twice, &second);
	if (!pw_str_eq(pw_buf_str(&once), pw_buf_str(&twice)) || second.left)
		abort();
	return 0;
}
