/* The inside of the SPF machine, shared by spf.c (check_host) and spf_match.c
 * (mechanisms). */
#pragma once

#include "core/spf.h"
#include "core/spf_macro.h"
#include "core/spf_record.h"

/* The first one, and one for each include, which is a counted lookup. */
#define PW_SPF_FRAMES_MAX (PW_SPF_LOOKUPS_MAX + 1)

enum pw_spf_state { PW_SPF_FETCH, PW_SPF_EVALUATE, PW_SPF_EXPLAIN, PW_SPF_END };

/* Outcome of one attempt at something that may need DNS. */
enum pw_spf_match {
	PW_SPF_MATCH_NO,
	PW_SPF_MATCH_YES,
	PW_SPF_MATCH_WAIT,
	PW_SPF_MATCH_TEMPERROR,
	PW_SPF_MATCH_PERMERROR,
};

struct pw_spf_known {
	struct pw_spf_known *next;
	struct pw_dns_question question;
	struct pw_dns_answer answer;
};

struct pw_spf_frame {
	struct pw_str domain;
	struct pw_spf_record record;
	size_t term;
	bool is_redirected;
	/* of the current term: */
	bool is_counted;
	bool is_void;
	bool has_child_result;
	enum pw_spf_result child_result;
};

struct pw_spf {
	struct pw_arena *arena;
	enum pw_spf_state state;
	enum pw_status status; /* first failure to work, or PW_OK */
	struct pw_ip ip;
	struct pw_str arpa;                /* name for PTR */
	struct pw_spf_macro_values values; /* d and p are set for each expansion */
	struct pw_spf_frame frames[PW_SPF_FRAMES_MAX];
	size_t depth;
	struct pw_spf_known *known;
	struct pw_spf_known *open; /* the question not answered yet, or NULL */
	int questions;
	struct pw_spf_outcome outcome;
};

/* First failure to work: the check is over. */
void pw_spf_give_up(struct pw_spf *spf, enum pw_status status);
/* Make an allowed move. */
void pw_spf_enter(struct pw_spf *spf, enum pw_spf_state state);
struct pw_spf_frame *pw_spf_current(struct pw_spf *spf);
/* Keep text in the arena; empty when there is no room, and then the check is over. */
struct pw_str pw_spf_keep(struct pw_spf *spf, struct pw_str text);
/* The answer, or NULL: wait. Names that cannot be asked for do not exist. */
const struct pw_dns_answer *pw_spf_lookup(struct pw_spf *spf, enum pw_dns_type type,
                                          struct pw_str name);
/* The same for the question a term is about: finding nothing is a void lookup (4.6.4). */
const struct pw_dns_answer *pw_spf_lookup_main(struct pw_spf *spf, enum pw_dns_type type,
                                               struct pw_str name);

/* Does a term of this kind count against PW_SPF_LOOKUPS_MAX (4.6.4)? */
bool pw_spf_is_counted(enum pw_spf_mechanism mechanism);
/* Does the term match (RFC 7208 5)? "include" pushes a frame and waits for its result. */
enum pw_spf_match pw_spf_match(struct pw_spf *spf, const struct pw_spf_term *term);
/* Expand a macro-string for the current domain. PW_SPF_MATCH_NO: longer than out may
 * hold. */
enum pw_spf_match pw_spf_expand(struct pw_spf *spf, struct pw_buf *out,
                                struct pw_str spec);
/* <target-name> of a domain-spec, that of the frame if spec is empty. PW_SPF_MATCH_NO:
 * the name cannot exist. */
enum pw_spf_match pw_spf_target(struct pw_spf *spf, struct pw_str spec,
                                struct pw_str *out);
