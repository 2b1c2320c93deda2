/* The SPF record (RFC 7208 4.5, 4.6, 12) as a value. Part of the SPF machine. */
#pragma once

#include "core/arena.h"
#include "core/ip.h"
#include "core/spf.h"

enum pw_spf_mechanism {
	PW_SPF_ALL,
	PW_SPF_INCLUDE,
	PW_SPF_A,
	PW_SPF_MX,
	PW_SPF_PTR,
	PW_SPF_IP4,
	PW_SPF_IP6,
	PW_SPF_EXISTS,
};
#define PW_SPF_MECHANISMS 8

struct pw_spf_term {
	enum pw_spf_mechanism mechanism;
	enum pw_spf_result result; /* what a match means: of the qualifier */
	struct pw_str text;        /* as written */
	struct pw_str domain;      /* domain-spec, or empty */
	uint8_t bits4, bits6;      /* A, MX */
	struct pw_net net;         /* IP4, IP6 */
};

struct pw_spf_record {
	const struct pw_spf_term *terms;
	size_t count;
	struct pw_str redirect, exp; /* domain-spec, or empty: not there */
};

/* Is this TXT record an SPF record: "v=spf1" and then a blank or the end? RFC 7208 4.5 */
bool pw_spf_record_is(struct pw_str txt);
/* Parse the whole record; any error anywhere counts (4.6). Slices point into txt.
 *
 * Errors  PW_ERR_SYNTAX, PW_ERR_NOMEM
 * Owner   lives in arena */
PW_MUST_CHECK enum pw_status
pw_spf_record_parse(struct pw_spf_record *out, struct pw_arena *arena, struct pw_str txt);
