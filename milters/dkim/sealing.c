#include "dkim/sealing.h"

#include <stdlib.h>

#include "core/address.h"
#include "dkim/counters.h"
#include "io/clock.h"
#include "io/log.h"
#include "kit/edit.h"
#include "mail/arc_seal.h"

#define ARENA_BYTES ((size_t)8 * 1024 * 1024)
#define REDIRECTED "X-Sieve-Redirected-From" /* Pigeonhole says who does it */

struct sealing {
	struct pw_arena *arena;
	struct pw_arc_sealer *sealer;
	struct pw_str domain, redirector;
	enum pw_status failure; /* first one */
};

/* The set as text, and what is to be done with it. */
struct set {
	struct pw_buf values[PW_ARC_KINDS];
	struct kit_edit edits[PW_ARC_KINDS];
};

static void set_done(struct set *set)
{
	for (size_t i = 0; i < PW_ARC_KINDS; i++)
		pw_buf_done(&set->values[i]);
}

enum pw_status sealing_new(struct sealing **out, size_t line_max)
{
	PW_AUTO(sealing_free) struct sealing *sealing = calloc(1, sizeof(*sealing));
	enum pw_status r;

	if (!sealing)
		return PW_ERR_NOMEM;
	sealing->domain = sealing->redirector = PW_STR("");
	if ((r = pw_arena_new(&sealing->arena, ARENA_BYTES)) != PW_OK ||
	    (r = pw_arc_sealer_new(&sealing->sealer, sealing->arena, line_max)) != PW_OK)
		return r;
	*out = PW_TAKE(sealing);
	return PW_OK;
}

void sealing_free(struct sealing **sealing)
{
	if (!*sealing)
		return;
	pw_arc_sealer_free(&(*sealing)->sealer);
	pw_arena_free(&(*sealing)->arena);
	free(*sealing);
	*sealing = NULL;
}

static void remember(struct sealing *sealing, enum pw_status r)
{
	if (sealing->failure == PW_OK)
		sealing->failure = r;
}

static enum pw_status learn_redirector(struct sealing *sealing, struct pw_str value)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	enum pw_status r = pw_address_normalise(&text, pw_str_trim(value));

	if (r == PW_ERR_NOMEM)
		return r;
	if (r != PW_OK)
		return PW_OK; /* no address: nobody of ours */
	return pw_arena_copy(sealing->arena, pw_buf_str(&text), &sealing->redirector);
}

void sealing_header(struct sealing *sealing, struct pw_str name, struct pw_str value)
{
	if (!sealing)
		return;
	if (pw_str_eq_nocase(name, PW_STR(REDIRECTED)) && sealing->redirector.len == 0)
		remember(sealing, learn_redirector(sealing, value));
	remember(sealing, pw_arc_sealer_header(sealing->sealer, name, value));
}

void sealing_body(struct sealing *sealing, struct pw_str chunk)
{
	if (sealing)
		pw_arc_sealer_body(sealing->sealer, chunk);
}

void sealing_leads(struct sealing *sealing, struct pw_str domain)
{
	if (sealing->domain.len == 0)
		remember(sealing,
		         pw_arena_copy(sealing->arena, domain, &sealing->domain));
}

struct pw_str sealing_redirector(const struct sealing *sealing)
{
	return sealing->redirector;
}

static enum pw_status make(struct set *set, struct sealing *sealing,
                           const struct seal_plan *plan, struct pw_str results)
{
	const struct pw_arc_seal_as as = {
		.domain = plan->domain->name,
		.selector = plan->key->selector,
		.key = plan->key->key,
		.names = PW_STR(""),
		.results = results,
		.cv = plan->cv,
	};
	enum pw_status r =
		pw_arc_sealer_seal(sealing->sealer, &as, set->values, pw_clock_wall_ms());

	for (size_t i = 0; i < PW_ARC_KINDS; i++) { /* the seal on top */
		enum pw_arc_kind kind = (enum pw_arc_kind)(PW_ARC_KINDS - 1 - i);

		set->edits[i] = (struct kit_edit){ KIT_INSERT, 1, pw_arc_field_name(kind),
			                           pw_buf_text(&set->values[kind]) };
	}
	return r;
}

static void report(const struct kit_session *s, const struct sealing *sealing,
                   const struct seal_plan *plan)
{
	bool is_sealed = plan->cause == NULL;

	pw_count(&counters, is_sealed ? COUNT_sealed : COUNT_unsealed, 1);
	pw_log(PW_LOG_INFO, kit_id(s), PW_KV("action", is_sealed ? "seal" : "unsealed"),
	       is_sealed ? PW_KV_NONE : PW_KV("cause", plan->cause),
	       PW_KV("domain", is_sealed ? plan->domain->name : sealing->domain),
	       is_sealed ? PW_KV("selector", plan->key->selector) : PW_KV_NONE,
	       is_sealed ? PW_KV_INT("instance",
	                             pw_arc_sealer_chain(sealing->sealer)->count + 1)
	                 : PW_KV_NONE,
	       is_sealed ? PW_KV("cv", pw_arc_result_text(plan->cv)) : PW_KV_NONE,
	       sealing->redirector.len > 0
	               ? PW_KV_ADDR("redirected_from", sealing->redirector)
	               : PW_KV_NONE,
	       PW_KV_END);
}

enum pw_status sealing_end(struct sealing *sealing, struct kit_session *s,
                           const struct keyring *keyring,
                           const struct sealing_rules *rules)
{
	PW_AUTO(pw_buf_done) struct pw_buf results = { 0 };
	PW_AUTO(set_done) struct set set = { 0 };
	struct seal_plan plan;
	enum pw_status r = sealing->failure;

	if (sealing->domain.len == 0 || rules->is_signed)
		return PW_OK;
	pw_arc_sealer_results(sealing->sealer, &results, rules->authserv_id);
	seal_decide(&plan,
	            &(struct seal_facts){ sealing->domain, pw_buf_str(&results),
	                                  pw_arc_sealer_chain(sealing->sealer) },
	            keyring, rules->domain);
	if (r == PW_OK)
		r = pw_buf_status(&results);
	if (r == PW_OK && !plan.cause)
		r = make(&set, sealing, &plan, pw_buf_str(&results));
	if (r != PW_OK)
		plan.cause = seal_failure_text(r);
	else if (!plan.cause && (r = kit_apply(s, set.edits, PW_ARC_KINDS)) != PW_OK)
		return r;
	report(s, sealing, &plan);
	return PW_OK;
}
