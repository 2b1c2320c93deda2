/* What DNS says about the records of mail.dns_records: all asked at once, then compared
 * by what they mean. */
#pragma once

#include "core/arena.h"
#include "core/spf.h"
#include "io/dns.h"

#define DNS_RECORDS_MAX 100000
#define DNS_AT_ONCE 2000 /* records asked for at a time */
#define DNS_NAMES_MAX 5  /* names of one address that are followed */
#define DNS_ADDRESSES_MAX 64

enum dns_state {
	DNS_SEEN_OK,
	DNS_SEEN_MISSING,
	DNS_SEEN_DIFFERS,
	DNS_SEEN_UNKNOWN, /* DNS did not answer */
};

/* A question and its answer. */
struct dns_asked {
	struct pw_dns_ticket *ticket;
	struct pw_dns_answer answer;
	bool is_asked;
};

/* SPF as one of our hosts would get it. */
struct dns_spf {
	struct pw_ip ip;
	struct pw_spf *machine;
	struct dns_asked now; /* the question it waits for */
	bool is_done;
	struct pw_spf_outcome outcome;
};

struct dns_host;

struct dns_record {
	/* a row of mail.dns_records */
	struct pw_str domain, name, type, value, note, kind;
	bool needed;
	/* what was found */
	struct dns_asked asked;
	const struct dns_host *host;             /* of an MX */
	struct pw_ip ip;                         /* whose name a PTR is */
	struct dns_asked forward[DNS_NAMES_MAX]; /* addresses of the names of a PTR */
	struct dns_spf *spf;                     /* one for each address of ours */
	size_t spf_count;
	/* what that means; texts live in the arena */
	enum dns_state state;
	struct pw_str seen, problem; /* problem: empty = none */
};

struct dns_host {
	struct pw_str name;
	struct dns_asked four, six;
};

struct dns_survey {
	struct pw_arena *arena;
	struct dns_record *at;
	size_t count;
	struct dns_host *hosts;
	size_t host_count;
	struct pw_ip addresses[DNS_ADDRESSES_MAX]; /* from where we send */
	size_t address_count;
};

/* For PW_AUTO. */
void dns_survey_done(struct dns_survey *survey);
/* Ask about all records, whose rows are filled in, and judge them. Ends at deadline_ms
 * (monotonic); what has no answer by then is unknown.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status dns_survey_run(struct dns_survey *survey,
                                            struct pw_resolver *resolver,
                                            int64_t deadline_ms);
/* Judge one record by what was found. Pure.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status dns_judge(struct dns_record *record, struct pw_arena *arena);
/* "ok", "missing", "differs", "unknown". */
const char *dns_state_text(enum dns_state state);
/* The record as a zone file has it. */
void dns_record_put(struct pw_buf *out, const struct dns_record *record);
