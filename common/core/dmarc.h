/* DMARC (RFC 7489, with np of RFC 9091 and t of its successor): record and decision.
 * Organisational domains and DNS answers are fed in. */
#pragma once

#include "core/dns.h"

#define PW_DMARC_RECORD_MAX 4096   /* bytes; a longer record is not read */
#define PW_DMARC_IDENTITIES_MAX 64 /* domains that are compared with From */
#define PW_DMARC_URIS_MAX 20       /* looked at in one rua= or ruf= */

enum pw_dmarc_policy { PW_DMARC_P_NONE, PW_DMARC_P_QUARANTINE, PW_DMARC_P_REJECT };
#define PW_DMARC_POLICIES 3

struct pw_dmarc_record {
	enum pw_dmarc_policy p, sp, np; /* defaults filled in */
	bool is_dkim_strict, is_spf_strict;
	bool is_test;             /* t=y: one step milder */
	uint8_t pct;              /* 0..100 */
	unsigned failure_options; /* fo=: PW_DMARC_FO_... */
	char psd;                 /* psd=: 'y', 'n' or 'u' */
	struct pw_str rua,
		ruf; /* as written, for pw_dmarc_next_uri; slices of the record */
};

/* When the domain wants to hear of a single failure (RFC 7489 6.3, fo=). */
#define PW_DMARC_FO_ALL 1U  /* 0: nothing passes */
#define PW_DMARC_FO_ANY 2U  /* 1: something fails */
#define PW_DMARC_FO_DKIM 4U /* d */
#define PW_DMARC_FO_SPF 8U  /* s */

/* Why less is done than the domain asks for (RFC 7489 appendix C, PolicyOverrideType). */
enum pw_dmarc_reason {
	PW_DMARC_AS_ASKED,
	PW_DMARC_SAMPLED_OUT,       /* pct */
	PW_DMARC_TEST_MODE,         /* t=y */
	PW_DMARC_TRUSTED_FORWARDER, /* an ARC sealer saw it pass */
	PW_DMARC_LOCAL_POLICY,      /* the admin decided otherwise */
};

enum pw_dmarc_result {
	PW_DMARC_NONE, /* no record, or no author domain */
	PW_DMARC_PASS,
	PW_DMARC_FAIL,
	PW_DMARC_TEMPERROR,
	PW_DMARC_PERMERROR, /* a record that cannot be used */
};

/* A domain that SPF or DKIM vouches for. */
struct pw_dmarc_identity {
	struct pw_str domain,
		org;       /* org: its organisational domain, or the domain itself */
	bool is_dkim;      /* else SPF of MAIL FROM */
	bool is_temporary; /* not passed, but DNS failed: it might have */
};

struct pw_dmarc_input {
	struct pw_str from, org; /* author domain, and its organisational domain */
	/* Answers to TXT _dmarc.<from> and TXT _dmarc.<org>; org_answer may be NULL when
	 * both names are one. */
	const struct pw_dns_answer *from_answer, *org_answer;
	bool is_nonexistent; /* the author domain is NXDOMAIN */
	const struct pw_dmarc_identity *identities;
	size_t identity_count;
	uint8_t sample; /* 0..99: the policy applies when sample < pct */
};

struct pw_dmarc_outcome {
	enum pw_dmarc_result result;
	enum pw_dmarc_policy policy; /* what the domain asks for (sp, np considered) */
	enum pw_dmarc_policy disposition; /* what is to be done after pct, t and
	                                   * overrides; none unless fail
	                                   */
	enum pw_dmarc_reason reason;      /* why it is not the policy */
	struct pw_str domain;             /* where the record was found, or empty */
	bool has_record;
	struct pw_dmarc_record record; /* as published; only with has_record */
	bool is_spf_aligned, is_dkim_aligned;
};

/* Parse one TXT record.
 *
 * Errors  PW_ERR_NOTFOUND not a DMARC record; PW_ERR_SYNTAX one that cannot be used;
 *         PW_ERR_LIMIT
 * RFC     7489 6.3, 6.4 */
PW_MUST_CHECK enum pw_status pw_dmarc_parse(struct pw_dmarc_record *out,
                                            struct pw_str text);
/* Append "_dmarc." and the domain. */
void pw_dmarc_put_name(struct pw_buf *out, struct pw_str domain);
/* Decide. Cannot fail: whatever is missing makes the result none or temperror.
 *
 * RFC     7489 6.6 */
void pw_dmarc_decide(struct pw_dmarc_outcome *out, const struct pw_dmarc_input *input);
/* Do otherwise with a message that fails; nothing changes where it does not, or where the
 * disposition is the same. */
void pw_dmarc_override(struct pw_dmarc_outcome *outcome, enum pw_dmarc_policy disposition,
                       enum pw_dmarc_reason reason);

struct pw_dmarc_uri {
	struct pw_str uri; /* without the size */
	int64_t size_max;  /* bytes of a report; 0 = any */
};

/* The next URI of rua= or ruf= that can be used; false at the end. Start with *rest = the
 * value.
 *
 * RFC     7489 6.2 */
bool pw_dmarc_next_uri(struct pw_str *rest, struct pw_dmarc_uri *out);
/* "pass", ...; "none", "quarantine", "reject"; "sampled_out", ..., "" when nothing was
 * changed: static text. */
const char *pw_dmarc_result_text(enum pw_dmarc_result result);
const char *pw_dmarc_policy_text(enum pw_dmarc_policy policy);
const char *pw_dmarc_reason_text(enum pw_dmarc_reason reason);
