/* What setup means to do, as a value: steps in their order. It is printed, and carried
 * out by setup_apply.c. Pure. */
#pragma once

#include "core/arena.h"
#include "core/buf.h"
#include "tools/setup/backup.h"

enum setup_kind {
	SETUP_FILE,         /* name: path; value: content, NULL = to go */
	SETUP_MAIN,         /* parameter of main.cf */
	SETUP_SERVICE,      /* name: name/type; value: line of master.cf */
	SETUP_SERVICE_GONE, /* name: name/type */
	SETUP_OPTION,       /* name: name/type/parameter */
	SETUP_CREATE,       /* name: the database to make */
	SETUP_MIGRATE,      /* schema mail; name: in words */
	SETUP_SQL,   /* name: in words; sql, with argument value, other if not NULL */
	SETUP_USER,  /* name: a mailbox, its password made then */
	SETUP_RUN,   /* argv, name: the same in words */
	SETUP_SERVE, /* name: a service; value: reload, restart, enable */
	SETUP_KEYS,  /* name: a domain that has no DKIM key */
	SETUP_NOTE,  /* nothing to do: name is what to know */
};

struct setup_step {
	enum setup_kind kind;
	const char *name;
	const char *value;  /* wanted */
	const char *before; /* now; NULL = nothing */
	const char *other, *sql;
	const char *const *argv;
	/* of a file */
	const char *owner, *group;
	unsigned int mode;
	bool is_secret; /* its content is not printed */
};

#define SETUP_STEPS_MAX 200

struct setup_plan {
	struct pw_arena *arena;
	struct setup_step at[SETUP_STEPS_MAX];
	size_t count;
	enum pw_status status; /* first failure: PW_ERR_NOMEM, PW_ERR_LIMIT */
	const struct setup_backup *earlier; /* what other runs did; NULL = nothing */
};

/* Texts are borrowed and have to outlive the plan: setup_text. */
void setup_plan_add(struct setup_plan *plan, const struct setup_step *step);
/* A text in the plan's memory; "" when there is none left (see status). */
const char *setup_text(struct setup_plan *plan, const char *format, ...) PW_PRINTF(2, 3);
const char *setup_text_of(struct setup_plan *plan, const struct pw_buf *text);
void setup_note(struct setup_plan *plan, const char *format, ...) PW_PRINTF(2, 3);
/* Steps that change something: all but notes. */
size_t setup_plan_changes(const struct setup_plan *plan);
bool setup_plan_has(const struct setup_plan *plan, enum setup_kind kind);
/* Has an earlier run stopped at a file whose path begins with prefix? It may be as it
 * should be, and nobody has been told to read it. */
bool setup_plan_resumes(const struct setup_plan *plan, const char *prefix);
/* A file whose path begins with prefix is written, or an earlier run stopped at it. */
bool setup_plan_has_file(const struct setup_plan *plan, const char *prefix);

/* One step in words, lines as an administrator would type them. */
void setup_step_print(struct pw_buf *out, const struct setup_step *step);
