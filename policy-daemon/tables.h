/* Postfix's tables from the catalog: what mail.postfix_domain, _mailbox, _alias and
 * _senders answer. Pure.
 *
 * Postfix asks for ann+x@d, then ann@d, then @d, of some tables for d or ann. All is
 * answered at the first question; were "@d" answered, a catch-all would swallow every
 * mailbox. */
#pragma once

#include "core/buf.h"
#include "policyd/catalog.h"

enum tables_answer {
	TABLES_FOUND,
	TABLES_NOT_FOUND,
	TABLES_NOT_SURE, /* not in this catalog, which may not be what the database holds
	                  */
	TABLES_NO_DATA,  /* there is no catalog */
	TABLES_NO_TABLE,
	TABLES_NO_MEMORY,
};

/* What all questions share. */
struct tables_world {
	const struct catalog *catalog; /* NULL = never seen the database */
	bool is_fresh;                 /* it is what the database holds now */
	bool is_foreign_sure; /* where it is not, a domain it does not know is not ours */
};

/* Look key up in "domains", "mailboxes", "aliases" or "senders" and append what is there;
 * several values are joined by commas. */
enum tables_answer tables_look_up(struct pw_buf *out, const struct tables_world *world,
                                  struct pw_str table, struct pw_str key);
