/* Scores: which symbols a message fired, what each is worth, and what is done about the
 * sum. Everything is counted in thousandths of a point, so that a printed sum is exact.
 *
 * Symbols, groups and their default weights stand in symbols.def; SQL overrides them. */
#pragma once

#include "core/buf.h"

enum pw_symbol {
#define PW_SYMBOL(name, group, weight_milli, help) PW_SYM_##name,
#include "core/symbols.def"
	PW_SYMBOLS
};

enum pw_group {
#define PW_GROUP(name, max_milli, help) PW_GRP_##name,
#include "core/symbols.def"
	PW_GROUPS
};

/* Mildest first: the order in which a dry run falls back. */
enum pw_action {
	PW_ACTION_NONE,
	PW_ACTION_GREYLIST,
	PW_ACTION_ADD_HEADER,
	PW_ACTION_REJECT
};
#define PW_ACTIONS 4

/* Symbols and groups of the admin's own stand behind the built-in ones. */
#define PW_OWN_SYMBOLS_MAX 1000
#define PW_OWN_GROUPS_MAX 50
#define PW_SYMBOLS_ALL (PW_SYMBOLS + PW_OWN_SYMBOLS_MAX)
#define PW_GROUPS_ALL (PW_GROUPS + PW_OWN_GROUPS_MAX)
#define PW_HITS_OWN_MAX 256 /* own symbols one message may show */
#define PW_HITS_MAX (PW_SYMBOLS + PW_HITS_OWN_MAX)
#define PW_SCORE_MAX_MILLI 1000000 /* largest weight, cap or threshold, either sign */
#define PW_EVIDENCE_MAX 120        /* bytes of evidence kept a symbol */

/* What a message is judged with: an immutable value, one for all threads. Names of own
 * symbols and groups are borrowed. */
struct pw_weights {
	struct {
		struct pw_str name;
		int32_t weight_milli;
		unsigned group; /* enum pw_group, or an own one behind PW_GROUPS */
		bool is_off;
		bool is_dry_run;   /* shown, not counted */
		bool is_of_rule;   /* own, fired by who reads the content */
		bool is_composite; /* made of other symbols: core/composite.h */
	} symbols[PW_SYMBOLS_ALL];
	size_t symbol_count;
	struct pw_str group_names[PW_GROUPS_ALL];
	int32_t group_max_milli[PW_GROUPS_ALL]; /* most points a group may add */
	size_t group_count;
	struct {
		int32_t threshold_milli;
		bool is_on;
		bool is_dry_run; /* logged, not done */
	} actions[PW_ACTIONS];
};

/* The symbols of one message. All zero is empty. */
struct pw_hits {
	struct pw_hit {
		unsigned symbol; /* enum pw_symbol, or an own one behind PW_SYMBOLS */
		int32_t factor_milli;   /* of the weight, 0..1000 */
		struct pw_str evidence; /* borrowed */
		bool is_taken;          /* a composite takes its points off again, */
		unsigned taken_by;      /* this one */
		bool is_learned;        /* a composite that rests on what was learned */
	} at[PW_HITS_MAX];
	size_t count, own_count;
	bool is_cut; /* there were more own ones */
};

/* One line of the account. */
struct pw_score_line {
	struct pw_str name; /* of the symbol, or of the group whose cap this is */
	struct pw_str evidence;
	int32_t score_milli; /* a cap's line is negative */
	bool is_cap;
	bool is_parts;   /* what the composite of that name takes off its parts */
	bool is_learned; /* of a composite that rests on what was learned */
	bool is_dry_run; /* not in the sum */
};

/* The account: score_milli is the sum of all lines that are no dry run. */
struct pw_score_plan {
	/* a composite's second line needs a part whose points it takes */
	struct pw_score_line lines[PW_HITS_MAX + PW_HITS_MAX / 2 + PW_GROUPS_ALL];
	size_t count;
	int64_t score_milli;
	int32_t required_milli;    /* threshold of add header; 0 if that is off */
	enum pw_action action;     /* to be done */
	enum pw_action dry_action; /* what it were without dry runs of actions */
};

/* The defaults of symbols.def; reject at 15, add header at 6, no greylisting. */
void pw_weights_default(struct pw_weights *out);
/* Which symbol has that name, in any case.
 *
 * Errors  PW_ERR_NOTFOUND */
PW_MUST_CHECK enum pw_status pw_weights_find(const struct pw_weights *w,
                                             struct pw_str name, unsigned *symbol_out);
/* The same for groups. */
PW_MUST_CHECK enum pw_status pw_weights_find_group(const struct pw_weights *w,
                                                   struct pw_str name,
                                                   unsigned *group_out);
/* Add a symbol of the admin's own, worth nothing yet; one that is there already is found.
 * A group that is new is added, without a cap. name and group live as long as w.
 *
 * Errors  PW_ERR_LIMIT over PW_OWN_SYMBOLS_MAX or PW_OWN_GROUPS_MAX */
PW_MUST_CHECK enum pw_status pw_weights_own(struct pw_weights *w, struct pw_str name,
                                            struct pw_str group, unsigned *symbol_out);
/* Override one row, as SQL has it; names in any case.
 *
 * Errors  PW_ERR_NOTFOUND no such name; PW_ERR_RANGE over PW_SCORE_MAX_MILLI. Then
 *         nothing changed. */
PW_MUST_CHECK enum pw_status pw_weights_symbol(struct pw_weights *w, struct pw_str name,
                                               int64_t weight_milli, bool is_on,
                                               bool is_dry_run);
PW_MUST_CHECK enum pw_status pw_weights_group(struct pw_weights *w, struct pw_str name,
                                              int64_t max_milli);
PW_MUST_CHECK enum pw_status pw_weights_action(struct pw_weights *w, struct pw_str name,
                                               int64_t threshold_milli, bool is_dry_run);

/* Note a symbol. Once a message: a second time keeps the higher factor. */
void pw_hits_add(struct pw_hits *hits, unsigned symbol, int32_t factor_milli,
                 struct pw_str evidence);
bool pw_hits_has(const struct pw_hits *hits, unsigned symbol);
/* The others stay in their order. */
void pw_hits_drop(struct pw_hits *hits, unsigned symbol);

/* Draw up the account. Slices of the plan live as long as those of hits. */
void pw_score_decide(struct pw_score_plan *out, const struct pw_hits *hits,
                     const struct pw_weights *weights);
