/* MAIL and RCPT towards the inner server, with the parameters it offers. Pure. */
#pragma once

#include "core/buf.h"
#include "origin/engine/target.h"

/* Why an envelope command cannot be passed on: RFC 3463 codes the client gets. */
enum envelope_verdict {
	ENVELOPE_OK,
	ENVELOPE_BAD,       /* no address, or bytes no SMTP line can hold: 501 5.1.3 */
	ENVELOPE_NO_8BIT,   /* the inner takes no 8BITMIME: 554 5.6.3 */
	ENVELOPE_NO_UTF8,   /* the inner takes no SMTPUTF8: 553 5.6.7 */
	ENVELOPE_NO_REPORT, /* NOTIFY asks for what a server without DSN does not do: 555
	                       5.5.4 */
	ENVELOPE_UNKNOWN,  /* a parameter that may change what becomes of it: 555 5.5.4 */
	ENVELOPE_TOO_LONG, /* SIZE is more than the inner takes: 552 5.3.4 */
};

/* Append "MAIL FROM:<...> ...\r\n" (or RCPT TO). Parameters the inner does not offer are
 * left out where that changes nothing for the message (SIZE, RET, ENVID, ORCPT, and
 * NOTIFY for failures), AUTH= always.
 *
 * argv    as the milter gets it: the address, then the parameters, then NULL */
enum envelope_verdict envelope_mail(struct pw_buf *out, char *const *argv,
                                    const struct upstream_offers *offers);
enum envelope_verdict envelope_rcpt(struct pw_buf *out, char *const *argv,
                                    const struct upstream_offers *offers);
