/* Shared by the files of checks; nobody else includes it. */
#pragma once

#include "core/ascii.h"
#include "mail/checks.h"

/* Note a symbol at full weight; evidence is borrowed. */
static inline void pw_fire(const struct pw_check *c, enum pw_symbol symbol,
                           struct pw_str evidence)
{
	pw_hits_add(c->hits, symbol, 1000, evidence);
}

/* Organisational domain, in the arena; the domain itself when it has none. */
struct pw_str pw_check_org(const struct pw_check *c, struct pw_str domain);
bool pw_check_is_local(const struct pw_check *c, struct pw_str domain);
/* Mail of a list or a bounce: envelope and header differ by right. */
bool pw_check_is_relayed(const struct pw_check *c);

/* Lists of names (lists.c): ASCII, lower case, exact. */
enum pw_list {
	PW_LIST_FREEMAIL,
	PW_LIST_SHORTENER,
	PW_LIST_FREE_HOSTING, /* the name, or what ends in "." and the name */
	PW_LIST_BAD_TLD,
	PW_LIST_PROGRAM_EXTENSION,
	PW_LIST_DOCUMENT_EXTENSION,
	PW_LISTS
};
bool pw_list_has(enum pw_list list, struct pw_str name);

/* Does text hold needle, case ignored? */
bool pw_has(struct pw_str text, const char *needle);

void pw_check_auth(const struct pw_check *c);       /* checks_auth.c */
void pw_check_client(const struct pw_check *c);     /* checks_client.c */
void pw_check_identity(const struct pw_check *c);   /* checks_identity.c */
void pw_check_ids(const struct pw_check *c);        /* checks_ids.c: dates, Message-ID */
void pw_check_mailer(const struct pw_check *c);     /* checks_mailer.c */
void pw_check_mime(const struct pw_check *c);       /* checks_mime.c */
void pw_check_files(const struct pw_check *c);      /* checks_files.c: attachments */
void pw_check_html(const struct pw_check *c);       /* checks_html.c */
void pw_check_links(const struct pw_check *c);      /* checks_links.c */
void pw_check_subject(const struct pw_check *c);    /* checks_subject.c */
void pw_check_text(const struct pw_check *c);       /* checks_text.c */
void pw_check_bayes(const struct pw_check *c);      /* checks_bayes.c */
void pw_check_reputation(const struct pw_check *c); /* checks_reputation.c */
