/* Whatever the message: the validator survives it, and a chain that we begin on a message
 * without one is valid. */
#include <stdlib.h>

#include "core/ascii.h"
#include "core/canon.h"
#include "core/header.h"
#include "mail/arc.h"
#include "mail/arc_results.h"
#include "mail/arc_seal.h"
#include "own_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FAR ((int64_t)1 << 40)
#define NOW_MS (INT64_C(1700000000) * 1000)

static struct pw_dkim_key *key;
static struct pw_resolver *resolver;
static struct pw_arena *arena;

static void set_up(void)
{
	if (key != NULL)
		return;
	make_key(&key, &resolver);
	must(pw_arena_new(&arena, 0));
}

/* The message with our set on top; false if it cannot be sealed, has a chain already, or
 * begins with what would continue the set. */
static bool seal(struct pw_buf *out, struct pw_str message, size_t step)
{
	PW_AUTO(pw_arc_sealer_free) struct pw_arc_sealer *sealer = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf results = { 0 };
	struct pw_buf values[PW_ARC_KINDS] = { 0 };
	struct pw_str body = message;
	struct pw_header field;
	const struct pw_arc_chain *chain;
	bool is_sealed;
	struct pw_arc_seal_as as = { .domain = PW_STR("example.org"),
		                     .selector = PW_STR(SELECTOR),
		                     .key = key,
		                     .results = PW_STR("mx.example.org; none") };

	if (message.len > 0 && pw_is_wsp(message.at[0]))
		return false;
	must(pw_arc_sealer_new(&sealer, arena, 998));
	while (pw_header_next(&body, &field))
		if (pw_arc_sealer_header(sealer, field.name, field.value) != PW_OK)
			return false;
	for (size_t at = 0; at < body.len; at += step)
		pw_arc_sealer_body(sealer, pw_str_sub(body, at, step));
	chain = pw_arc_sealer_chain(sealer);
	pw_arc_sealer_results(sealer, &results, PW_STR("mx.example.org"));
	(void)pw_arc_results_chain(pw_buf_str(&results), &as.cv, &(unsigned){ 0 });
	if (chain->count > 0 || chain->broken != NULL)
		as.cv = PW_ARC_FAIL;
	else
		as.cv = PW_ARC_NONE;
	is_sealed = pw_arc_sealer_seal(sealer, &as, values, NOW_MS) == PW_OK;
	for (size_t kind = PW_ARC_KINDS; is_sealed && kind-- > 0;)
		pw_canon_header_simple(
			out, pw_str_from(pw_arc_field_name((enum pw_arc_kind)kind)),
			pw_buf_str(&values[kind]));
	for (size_t kind = 0; kind < PW_ARC_KINDS; kind++)
		pw_buf_done(&values[kind]);
	pw_buf_puts(out, message);
	return is_sealed && as.cv == PW_ARC_NONE;
}

static void verify(struct pw_arc_verdict *out, struct pw_arc **arc, struct pw_str message,
                   size_t step)
{
	struct pw_header field;

	must(pw_arc_new(arc, resolver, arena, NOW_MS));
	while (pw_header_next(&message, &field))
		must(pw_arc_header(*arc, field.name, field.value));
	must(pw_arc_eoh(*arc));
	for (size_t at = 0; at < message.len; at += step)
		pw_arc_add_body(*arc, pw_str_sub(message, at, step));
	must(pw_arc_end(*arc, FAR, out));
}

static bool trust_all(const void *user, struct pw_str domain)
{
	(void)user, (void)domain;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str message = { (const char *)data + 1, size - 1 };
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	PW_AUTO(pw_arc_free) struct pw_arc *arc = NULL;
	struct pw_arc_verdict verdict;
	size_t step;
	bool is_sealed;

	if (size < 1)
		return 0;
	set_up();
	pw_arena_reset(arena);
	step = 1 + data[0] % 61u;
	is_sealed = seal(&text, message, step);
	verify(&verdict, &arc, is_sealed ? pw_buf_str(&text) : message, 1 + step / 7);
	(void)pw_arc_vouched(verdict.chain, PW_STR("example.org"), trust_all, NULL);
	if (is_sealed && verdict.result != PW_ARC_PASS && verdict.chain->count < 2)
		abort();
	return 0;
}
