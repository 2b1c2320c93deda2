/* One message judged: reading, authentication, checks and score in one. The engine of
 * postward-score and of `postwardctl scan`. */
#pragma once

#include "core/composite.h"
#include "mail/checks.h"
#include "mail/dns_lists.h"

/* What all messages share; outlives them. */
struct pw_judge_tools {
	struct pw_resolver *resolver; /* NULL: nothing is verified */
	struct pw_dkim_lib *dkim;
	const struct pw_psl *psl;
	bool (*is_local_domain)(const void *user, struct pw_str domain); /* or NULL */
	/* Is a sealer of ARC chains believed about DMARC? NULL: none is. */
	bool (*is_trusted_sealer)(const void *user, struct pw_str domain);
	/* Does the admin do otherwise with mail of an author's domain that fails DMARC?
	 * NULL: never. */
	bool (*dmarc_override)(const void *user, struct pw_str domain,
	                       enum pw_dmarc_policy *disposition_out);
	const void *user; /* of them all */
	/* What is known of a message's tokens; false: nobody knows. Not asked about mail
	 * of a login. NULL: no Bayes. */
	bool (*recall)(void *memory, const struct pw_envelope *envelope,
	               const struct pw_tokens *tokens, struct pw_bayes_counts *out);
	void *memory; /* of recall */
	/* Fill in what is known of sources, with memory; false: nobody knows. Not asked
	 * about mail of a login. NULL: no reputation. */
	bool (*standing)(void *memory, struct pw_reputation *sources);
	/* The virus found in the message, once all of it was seen; false: none is known.
	 * NULL: nobody looks. */
	bool (*find_virus)(void *scan, struct pw_arena *arena, struct pw_str *name_out);
	void *scan;
	const struct pw_own_rules *own_rules; /* where content is read here; NULL: none */
	const struct pw_own_maps *own_maps;   /* NULL: none */
	const struct pw_composites *composites; /* NULL: none, not even built-in ones */
	const struct pw_dns_lists *dns_lists;   /* NULL: none */
	int64_t dns_lists_wait_ms; /* longest wait for them once all else is done */
	/* Read the content elsewhere (pw_reading_put_job, pw_reading_take) instead of
	 * here; NULL: here.
	 *
	 * Errors  what pw_judge_end then returns; PW_ERR_DENIED: nobody reads it, the
	 *         message is judged without */
	enum pw_status (*read)(void *reader, struct pw_str job,
	                       struct pw_buf *answer_out);
	void *reader;
};

struct pw_verdict {
	struct pw_score_plan plan;
	struct pw_auth auth;
	bool has_auth;                          /* auth was looked at */
	const struct pw_tokens *tokens;         /* NULL: Bayes was not asked */
	const struct pw_bayes_result *bayes;    /* NULL: it did not answer */
	const struct pw_reputation *sources;    /* NULL: nobody asked for them */
	bool is_unread;                         /* nobody could read the content */
	struct pw_str virus;                    /* its name; empty: none is known */
	const struct pw_rules_limited *limited; /* own rules that were given up */
	const struct pw_message *message;       /* lives until pw_judge_free */
};

struct pw_judge; /* one message, one thread */

/* Begin. envelope is borrowed until the end; who logged in is not asked for SPF, DKIM and
 * DMARC. arena: see PW_MESSAGE_ARENA_MAX.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, pw_judge_free, before the arena is reset */
PW_MUST_CHECK enum pw_status pw_judge_new(struct pw_judge **out, struct pw_arena *arena,
                                          const struct pw_judge_tools *tools,
                                          const struct pw_envelope *envelope,
                                          int64_t now_ms);
void pw_judge_free(struct pw_judge **judge);

/* In the order of the message. value raw, with leading blank and folds; body with CRLF.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status pw_judge_header(struct pw_judge *judge, struct pw_str name,
                                             struct pw_str value);
/* is_cut: the header ended without an empty line. */
PW_MUST_CHECK enum pw_status pw_judge_eoh(struct pw_judge *judge, bool is_cut);
PW_MUST_CHECK enum pw_status pw_judge_body(struct pw_judge *judge, struct pw_str chunk);
/* Answer. DNS is waited for until deadline_ms (CLOCK_MONOTONIC).
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_CRYPTO; what read of the tools returned */
PW_MUST_CHECK enum pw_status pw_judge_end(struct pw_judge *judge,
                                          const struct pw_weights *weights,
                                          int64_t deadline_ms, struct pw_verdict *out);
