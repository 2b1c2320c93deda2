/* Authentication of one message: SPF, DKIM, ARC and DMARC driven over one resolver under
 * one deadline. Questions are filed as early as their names are known. */
#pragma once

#include "core/address.h"
#include "core/authres.h"
#include "core/dmarc.h"
#include "core/spf.h"
#include "mail/arc.h"
#include "mail/dkim.h"
#include "mail/psl.h"

/* What came out. Texts live in the arena. */
struct pw_auth {
	bool has_spf; /* SPF was asked for */
	struct pw_spf_outcome spf;
	struct pw_str spf_identity; /* address checked: MAIL FROM, or postmaster@HELO */
	bool is_spf_helo;
	bool has_helo; /* HELO was asked for beside MAIL FROM */
	struct pw_spf_outcome
		helo; /* its result (RFC 7208 2.3); DMARC does not know it */
	struct pw_str helo_name;
	const struct pw_dkim_verdict *dkim;
	size_t dkim_count;
	enum pw_dkim_result dkim_overall;
	bool is_dkim_aligned; /* a pass by the author's own organisation */
	struct pw_arc_verdict arc;
	struct pw_dmarc_outcome dmarc;
	/* Of the client, for Authentication-Results; whoever knows them fills them in. */
	struct pw_str client;  /* address; empty = not known */
	const char *iprev;     /* RFC 8601 2.7.3: static text; NULL = not looked at */
	struct pw_str voucher; /* trusted sealer that saw DMARC pass where it fails here;
	                          empty = none, see pw_auth_vouch */
};

struct pw_auth_run; /* one message, one thread */

/* Begin; resolver, lib and psl outlive it.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, pw_auth_free, before the arena is reset */
PW_MUST_CHECK enum pw_status pw_auth_new(struct pw_auth_run **out, struct pw_arena *arena,
                                         struct pw_resolver *resolver,
                                         struct pw_dkim_lib *lib,
                                         const struct pw_psl *psl, int64_t now_ms);
void pw_auth_free(struct pw_auth_run **run);

/* The envelope is known: ask for SPF. Not called: there is no SPF.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_auth_spf(struct pw_auth_run *run,
                                         const struct pw_spf_input *input);
/* As pw_dkim_header, pw_dkim_eoh, pw_dkim_body. author: of header From, NULL if there is
 * not exactly one. */
PW_MUST_CHECK enum pw_status pw_auth_header(struct pw_auth_run *run, struct pw_str name,
                                            struct pw_str value);
PW_MUST_CHECK enum pw_status pw_auth_eoh(struct pw_auth_run *run,
                                         const struct pw_mailbox *author);
PW_MUST_CHECK enum pw_status pw_auth_body(struct pw_auth_run *run, struct pw_str chunk);
/* Collect everything; a question without an answer at deadline_ms (CLOCK_MONOTONIC) is a
 * temperror of what asked it.
 *
 * sample  0..99, for DMARC's pct
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_CRYPTO */
PW_MUST_CHECK enum pw_status pw_auth_end(struct pw_auth_run *run, int64_t deadline_ms,
                                         uint8_t sample, struct pw_auth *out);

/* Look for a voucher: DMARC fails here, the chain is valid and covers From and the body,
 * and pw_arc_vouched finds one. */
void pw_auth_vouch(struct pw_auth *auth, struct pw_str author_domain,
                   bool (*is_trusted)(const void *user, struct pw_str domain),
                   const void *user);

/* Append the value of our Authentication-Results field (RFC 8601): SPF of both names,
 * every signature, ARC, DMARC and iprev (mail/auth_results.c). */
void pw_auth_put_results(struct pw_buf *out, const struct pw_auth *auth,
                         struct pw_str authserv_id, struct pw_str author_domain,
                         struct pw_str login);
