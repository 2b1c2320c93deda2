/* The checks: what a message, its envelope and its authentication results fire. The same
 * for the milter and for `postwardctl scan`. Pure but for libpsl's list. */
#pragma once

#include "core/bayes.h"
#include "core/origin.h"
#include "core/reputation.h"
#include "core/score.h"
#include "mail/auth.h"
#include "mail/message.h"
#include "mail/own_maps.h"
#include "mail/own_rules.h"
#include "mail/psl.h"

/* Who spoke to us and what was said. What is not known is empty and fires nothing. */
struct pw_envelope {
	struct pw_origin
		origin; /* address NONE: no client is known; login set: submission */
	bool has_sender;
	struct pw_mailbox sender; /* empty domain: the null sender */
	const struct pw_mailbox *recipients;
	size_t recipient_count;
	struct pw_str our_name; /* this host's name, or empty */
};

struct pw_check {
	const struct pw_message *message;
	const struct pw_envelope *envelope;
	const struct pw_auth *auth;             /* NULL: nothing was verified */
	const struct pw_bayes_result *bayes;    /* NULL: nobody was asked */
	const struct pw_reputation *reputation; /* NULL: nobody was asked */
	const struct pw_own_rules *own_rules;   /* NULL: none */
	const struct pw_own_maps *own_maps;     /* NULL: none */
	struct pw_rules_limited *limited;       /* added to; may be NULL */
	const struct pw_psl *psl;
	/* Is a domain ours? NULL: none is. */
	bool (*is_local_domain)(const void *user, struct pw_str domain);
	const void *user;
	struct pw_arena *arena; /* for evidence */
	struct pw_hits *hits;
	int64_t now_s; /* when the message arrived */
};

/* Those of what strangers wrote; auth and bayes are not looked at. */
void pw_checks_content(const struct pw_check *check);
/* Those of client and authentication, once the others are done. */
void pw_checks_session(const struct pw_check *check);
/* Where the message came from, as far as that is proved, and where it leads. Names live
 * in the arena. */
void pw_checks_sources(const struct pw_check *check, struct pw_reputation *out);
/* Is it one that pw_checks_content fires? */
bool pw_checks_is_of_content(enum pw_symbol symbol);
