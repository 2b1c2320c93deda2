/* SPF (RFC 7208) as a machine: it asks DNS questions one at a time and is fed the
 * answers.
 *
 *     pw_spf_new(&spf, arena, &input);
 *     while (pw_spf_next(spf, &ask) == PW_SPF_ASK) {
 *             ... answer it ...
 *             pw_spf_feed(spf, &answer);
 *     }
 *     pw_spf_outcome(spf, &outcome);
 *
 * A check asks at most PW_SPF_QUESTIONS_MAX questions, whatever the answers say. */
#pragma once

#include "core/dns.h"

#define PW_SPF_LOOKUPS_MAX 10 /* terms that cause DNS queries, RFC 7208 4.6.4 */
#define PW_SPF_VOID_MAX 2     /* lookups that found nothing */
#define PW_SPF_HOSTS_MAX 10   /* names of one MX answer; names of one PTR answer used */
#define PW_SPF_QUESTIONS_MAX 256    /* backstop for all DNS questions of one check */
#define PW_SPF_EXPLANATION_MAX 1024 /* bytes of an explanation */

enum pw_spf_result {
	PW_SPF_NONE,
	PW_SPF_NEUTRAL,
	PW_SPF_PASS,
	PW_SPF_FAIL,
	PW_SPF_SOFTFAIL,
	PW_SPF_TEMPERROR,
	PW_SPF_PERMERROR,
};
#define PW_SPF_RESULTS 7

enum pw_spf_step { PW_SPF_ASK, PW_SPF_DONE };

struct pw_spf_input {
	struct pw_ip ip;    /* the SMTP client; IPv4-mapped is read as IPv4 */
	struct pw_str helo; /* as sent */
	struct pw_str
		from; /* MAIL FROM without brackets; empty: postmaster@helo is checked */
	struct pw_str receiver; /* our host name, for %{r}; empty: "unknown" */
	int64_t now_s;          /* Unix time, for %{t} */
};

struct pw_spf_outcome {
	enum pw_spf_result result;
	struct pw_str domain; /* whose policy was asked for: of MAIL FROM, or HELO */
	struct pw_str term;   /* mechanism of the first record that decided, or empty */
	struct pw_str explanation; /* of the domain (fail with exp= only), or empty */
	int lookups;               /* terms counted against PW_SPF_LOOKUPS_MAX */
	int void_lookups;
};

struct pw_spf;

/* Begin a check. Texts of input are copied.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   lives in arena */
PW_MUST_CHECK enum pw_status pw_spf_new(struct pw_spf **out, struct pw_arena *arena,
                                        const struct pw_spf_input *input);
/* ASK: *ask is the question (lives in the arena) to be answered by one pw_spf_feed.
 * DONE: *ask is untouched. Calling it again changes nothing. */
enum pw_spf_step pw_spf_next(struct pw_spf *spf, struct pw_dns_question *ask);
/* Answer the last question; what is needed of answer is copied. Without a question open
 * it does nothing. */
void pw_spf_feed(struct pw_spf *spf, const struct pw_dns_answer *answer);
/* The outcome, once pw_spf_next said DONE; texts live in the arena.
 *
 * Errors  PW_ERR_STATE not done; PW_ERR_NOMEM the arena was full */
PW_MUST_CHECK enum pw_status pw_spf_outcome(const struct pw_spf *spf,
                                            struct pw_spf_outcome *out);
/* "pass", ... as RFC 8601 2.7.2 spells them. */
const char *pw_spf_result_text(enum pw_spf_result result);
