#include "core/spf.h"

#include "core/spf_machine.h"

/* How it works. check_host() is a stack of frames: the first one for the domain itself,
 * one more for each "include" being evaluated; "redirect" changes the domain of its
 * frame. A frame remembers at which term it is. Whatever needs DNS calls pw_spf_lookup(),
 * which knows the answers so far; without the answer it opens a question and everything
 * returns up to pw_spf_next. After pw_spf_feed the same term is evaluated again from its
 * start and finds one answer more. So no evaluation keeps state of its own, and nothing
 * is asked twice. */

#define TO(state) (1u << (state))
static const unsigned allowed_moves[] = {
	[PW_SPF_FETCH] = TO(PW_SPF_EVALUATE) | TO(PW_SPF_END),
	[PW_SPF_EVALUATE] = TO(PW_SPF_FETCH) | TO(PW_SPF_EVALUATE) | TO(PW_SPF_EXPLAIN) |
	                    TO(PW_SPF_END),
	[PW_SPF_EXPLAIN] = TO(PW_SPF_END),
	[PW_SPF_END] = 0,
};

void pw_spf_give_up(struct pw_spf *spf, enum pw_status status)
{
	spf->status = status;
	spf->outcome.result = PW_SPF_TEMPERROR;
	spf->open = NULL;
	spf->state = PW_SPF_END; /* from any state */
}

void pw_spf_enter(struct pw_spf *spf, enum pw_spf_state state)
{
	if (allowed_moves[spf->state] & TO(state))
		spf->state = state;
	else
		pw_spf_give_up(spf, PW_ERR_STATE);
}

struct pw_spf_frame *pw_spf_current(struct pw_spf *spf)
{
	return &spf->frames[spf->depth];
}

struct pw_str pw_spf_keep(struct pw_spf *spf, struct pw_str text)
{
	struct pw_str copy = { "", 0 };

	if (pw_arena_copy(spf->arena, text, &copy) != PW_OK)
		pw_spf_give_up(spf, PW_ERR_NOMEM);
	return copy;
}

/* ---- questions and answers ---- */

const struct pw_dns_answer *pw_spf_lookup(struct pw_spf *spf, enum pw_dns_type type,
                                          struct pw_str name)
{
	static const struct pw_dns_answer no_such_name = { .rcode = PW_DNS_NXDOMAIN };
	struct pw_spf_known *k;

	if (spf->state == PW_SPF_END)
		return NULL;
	if (!pw_dns_name_is_valid(name))
		return &no_such_name;
	for (k = spf->known; k != NULL; k = k->next)
		if (k->question.type == type && pw_str_eq_nocase(k->question.name, name))
			return &k->answer;
	if ((k = pw_arena_alloc(spf->arena, sizeof(*k))) == NULL) {
		pw_spf_give_up(spf, PW_ERR_NOMEM);
		return NULL;
	}
	if (spf->questions == PW_SPF_QUESTIONS_MAX) {
		pw_spf_give_up(spf, PW_ERR_LIMIT);
		return NULL;
	}
	k->question.type = type;
	k->question.name = pw_spf_keep(spf, name);
	if (spf->state == PW_SPF_END)
		return NULL;
	spf->questions++;
	spf->open = k;
	return NULL;
}

const struct pw_dns_answer *pw_spf_lookup_main(struct pw_spf *spf, enum pw_dns_type type,
                                               struct pw_str name)
{
	const struct pw_dns_answer *answer = pw_spf_lookup(spf, type, name);

	if (answer != NULL)
		pw_spf_current(spf)->is_void =
			answer->count == 0 && !pw_dns_is_error(answer);
	return answer;
}

void pw_spf_feed(struct pw_spf *spf, const struct pw_dns_answer *answer)
{
	struct pw_spf_known *k = spf->open;
	size_t count = answer->count;
	struct pw_dns_record *records;

	if (k == NULL)
		return;
	spf->open = NULL;
	if (count > PW_DNS_RECORDS_MAX)
		count = PW_DNS_RECORDS_MAX;
	if ((records = pw_arena_array(spf->arena, count, sizeof(*records))) == NULL) {
		pw_spf_give_up(spf, PW_ERR_NOMEM);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		records[i] = answer->records[i];
		records[i].text = pw_spf_keep(spf, answer->records[i].text);
	}
	k->answer = *answer;
	k->answer.records = records;
	k->answer.count = answer->rcode == PW_DNS_OK ? count : 0;
	k->next = spf->known;
	spf->known = k;
}

/* ---- check_host() ---- */

/* The current frame is finished. */
static void finish(struct pw_spf *spf, enum pw_spf_result result)
{
	struct pw_spf_frame *frame = pw_spf_current(spf);

	if (frame->is_redirected && result == PW_SPF_NONE)
		result = PW_SPF_PERMERROR; /* 6.1 */
	if (spf->depth > 0) {
		spf->depth--;
		pw_spf_current(spf)->has_child_result = true;
		pw_spf_current(spf)->child_result = result;
		spf->state = PW_SPF_EVALUATE; /* of the frame below */
		return;
	}
	spf->outcome.result = result;
	pw_spf_enter(spf, result == PW_SPF_FAIL && frame->record.exp.len > 0
	                          ? PW_SPF_EXPLAIN
	                          : PW_SPF_END);
}

/* 4.5: exactly one SPF record among the TXT records. */
static void fetch(struct pw_spf *spf)
{
	struct pw_spf_frame *frame = pw_spf_current(spf);
	const struct pw_dns_answer *answer =
		pw_spf_lookup(spf, PW_DNS_TXT, frame->domain);
	const struct pw_dns_record *found = NULL;
	enum pw_status r;

	if (answer == NULL)
		return;
	if (pw_dns_is_error(answer)) {
		finish(spf, PW_SPF_TEMPERROR);
		return;
	}
	for (size_t i = 0; i < answer->count; i++) {
		if (!pw_spf_record_is(answer->records[i].text))
			continue;
		if (found != NULL) {
			finish(spf, PW_SPF_PERMERROR);
			return;
		}
		found = &answer->records[i];
	}
	if (found == NULL) {
		finish(spf, PW_SPF_NONE);
		return;
	}
	r = pw_spf_record_parse(&frame->record, spf->arena, found->text);
	if (r == PW_ERR_NOMEM)
		pw_spf_give_up(spf, r);
	else if (r != PW_OK)
		finish(spf, PW_SPF_PERMERROR);
	else
		pw_spf_enter(spf, PW_SPF_EVALUATE);
}

/* Count the current term, once; false when that is one too many. */
static bool count_lookup(struct pw_spf *spf)
{
	struct pw_spf_frame *frame = pw_spf_current(spf);

	if (frame->is_counted)
		return true;
	if (spf->outcome.lookups == PW_SPF_LOOKUPS_MAX)
		return false;
	frame->is_counted = true;
	spf->outcome.lookups++;
	return true;
}

static void next_term(struct pw_spf_frame *frame)
{
	frame->term++;
	frame->is_counted = false;
	frame->is_void = false;
	frame->has_child_result = false;
}

/* After the last term: go on at another domain, or nothing matched. */
static void redirect(struct pw_spf *spf)
{
	struct pw_spf_frame *frame = pw_spf_current(spf);
	struct pw_str name;
	enum pw_spf_match r;

	if (frame->record.redirect.len == 0) {
		finish(spf, PW_SPF_NEUTRAL); /* 4.7 */
		return;
	}
	if (!count_lookup(spf)) {
		finish(spf, PW_SPF_PERMERROR);
		return;
	}
	if ((r = pw_spf_target(spf, frame->record.redirect, &name)) == PW_SPF_MATCH_WAIT)
		return;
	if (r != PW_SPF_MATCH_YES) {
		finish(spf, PW_SPF_PERMERROR);
		return;
	}
	*frame = (struct pw_spf_frame){ .domain = name, .is_redirected = true };
	pw_spf_enter(spf, PW_SPF_FETCH);
}

static void evaluate(struct pw_spf *spf)
{
	struct pw_spf_frame *frame = pw_spf_current(spf);
	const struct pw_spf_term *term = &frame->record.terms[frame->term];
	enum pw_spf_match r = PW_SPF_MATCH_PERMERROR;

	if (frame->term == frame->record.count) {
		redirect(spf);
		return;
	}
	if (!pw_spf_is_counted(term->mechanism) || count_lookup(spf))
		r = pw_spf_match(spf, term);
	if (r == PW_SPF_MATCH_WAIT)
		return;
	if (frame->is_void && ++spf->outcome.void_lookups > PW_SPF_VOID_MAX)
		r = PW_SPF_MATCH_PERMERROR;
	switch (r) {
	case PW_SPF_MATCH_YES:
		if (spf->depth == 0)
			spf->outcome.term = term->text;
		finish(spf, term->result);
		return;
	case PW_SPF_MATCH_TEMPERROR:
		finish(spf, PW_SPF_TEMPERROR);
		return;
	case PW_SPF_MATCH_PERMERROR:
		finish(spf, PW_SPF_PERMERROR);
		return;
	case PW_SPF_MATCH_NO:
	case PW_SPF_MATCH_WAIT:
		break;
	}
	next_term(frame);
}

/* 6.2: whatever goes wrong here, there is just no explanation. Values of macros come from
 * strangers: what is not printable ASCII is shown as '?'. */
static void explain(struct pw_spf *spf)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { .max = PW_SPF_EXPLANATION_MAX };
	const struct pw_dns_answer *answer;
	struct pw_str name;
	enum pw_spf_match r = pw_spf_target(spf, pw_spf_current(spf)->record.exp, &name);

	if (r == PW_SPF_MATCH_YES) {
		if ((answer = pw_spf_lookup(spf, PW_DNS_TXT, name)) == NULL)
			return;
		if (answer->count == 1 &&
		    pw_spf_macro_is_valid(answer->records[0].text, PW_SPF_MACRO_TEXT))
			r = pw_spf_expand(spf, &text, answer->records[0].text);
		else
			r = PW_SPF_MATCH_NO;
	}
	if (r == PW_SPF_MATCH_WAIT)
		return;
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < ' ' || text.at[i] > '~')
			text.at[i] = '?';
	if (r == PW_SPF_MATCH_YES)
		spf->outcome.explanation = pw_spf_keep(spf, pw_buf_str(&text));
	if (spf->state != PW_SPF_END)
		pw_spf_enter(spf, PW_SPF_END);
}

enum pw_spf_step pw_spf_next(struct pw_spf *spf, struct pw_dns_question *ask)
{
	static void (*const steps[])(struct pw_spf *) = {
		[PW_SPF_FETCH] = fetch,
		[PW_SPF_EVALUATE] = evaluate,
		[PW_SPF_EXPLAIN] = explain,
	};

	while (spf->state != PW_SPF_END && spf->open == NULL)
		steps[spf->state](spf);
	if (spf->state == PW_SPF_END)
		return PW_SPF_DONE;
	*ask = spf->open->question;
	return PW_SPF_ASK;
}

/* ---- beginning and end ---- */

/* 4.3: a fully qualified name; not an address literal. */
static bool is_checkable(struct pw_str domain)
{
	for (size_t i = 0; i < domain.len; i++)
		if (domain.at[i] <= ' ' || domain.at[i] > '~' || domain.at[i] == '[')
			return false;
	return pw_dns_name_is_valid(domain) && pw_str_find(domain, '.') < domain.len;
}

static void set_value(struct pw_spf *spf, char letter, struct pw_str value)
{
	spf->values.by_letter[letter - 'a'] = pw_spf_keep(spf, value);
}

/* s, l, o: without MAIL FROM postmaster@helo (2.4), without a local part postmaster
 * (4.3). */
static void set_sender(struct pw_spf *spf, const struct pw_spf_input *input)
{
	PW_AUTO(pw_buf_done) struct pw_buf sender = { 0 };
	size_t at = pw_str_rfind(input->from, '@');
	struct pw_str local = pw_str_sub(input->from, 0, at);
	struct pw_str domain = pw_str_sub(input->from, at + 1, input->from.len);

	if (at == input->from.len) {
		domain = at > 0 ? input->from : input->helo;
		local.len = 0;
	}
	if (local.len == 0)
		local = PW_STR("postmaster");
	if (domain.len > 0 && domain.at[domain.len - 1] == '.')
		domain.len--;
	pw_buf_puts(&sender, local);
	pw_buf_putc(&sender, '@');
	pw_buf_puts(&sender, domain);
	if (pw_buf_status(&sender) != PW_OK)
		pw_spf_give_up(spf, PW_ERR_NOMEM);
	set_value(spf, 'l', local);
	set_value(spf, 'o', domain);
	set_value(spf, 's', pw_buf_str(&sender));
}

/* c, i, v and the name for PTR. */
static void set_address(struct pw_spf *spf)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	bool is_v6 = spf->ip.family == PW_IP_V6;

	pw_ip_put(&text, spf->ip);
	set_value(spf, 'c', pw_buf_str(&text));
	set_value(spf, 'i', pw_buf_str(&text));
	set_value(spf, 'v', is_v6 ? PW_STR("ip6") : PW_STR("in-addr"));
	pw_buf_reset(&text);
	for (size_t i = 0; is_v6 && i < 16; i++) { /* nibbles with dots, in order */
		static const char hex[] =
			"0123456789ABCDEF"; /* as the test suite has it */

		if (i > 0)
			pw_buf_putc(&text, '.');
		pw_buf_putc(&text, hex[spf->ip.bytes[i] >> 4]);
		pw_buf_putc(&text, '.');
		pw_buf_putc(&text, hex[spf->ip.bytes[i] & 15]);
	}
	if (is_v6)
		set_value(spf, 'i', pw_buf_str(&text));
	pw_buf_reset(&text);
	pw_dns_put_arpa(&text, spf->ip);
	spf->arpa = pw_spf_keep(spf, pw_buf_str(&text));
	if (pw_buf_status(&text) != PW_OK)
		pw_spf_give_up(spf, PW_ERR_NOMEM);
}

static void set_rest(struct pw_spf *spf, const struct pw_spf_input *input)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	pw_buf_put_int(&text, input->now_s);
	set_value(spf, 't', pw_buf_str(&text));
	set_value(spf, 'h', input->helo);
	set_value(spf, 'r',
	          input->receiver.len > 0 ? input->receiver : PW_STR("unknown"));
	if (pw_buf_status(&text) != PW_OK)
		pw_spf_give_up(spf, PW_ERR_NOMEM);
}

enum pw_status pw_spf_new(struct pw_spf **out, struct pw_arena *arena,
                          const struct pw_spf_input *input)
{
	struct pw_spf *spf = pw_arena_alloc(arena, sizeof(*spf));

	if (spf == NULL)
		return PW_ERR_NOMEM;
	spf->arena = arena;
	spf->ip = pw_ip_unmap(input->ip);
	set_sender(spf, input);
	set_address(spf);
	set_rest(spf, input);
	if (spf->status != PW_OK)
		return spf->status;
	spf->outcome.domain = spf->values.by_letter['o' - 'a'];
	spf->frames[0].domain = spf->outcome.domain;
	if (!is_checkable(spf->outcome.domain))
		finish(spf, PW_SPF_NONE);
	*out = spf;
	return PW_OK;
}

enum pw_status pw_spf_outcome(const struct pw_spf *spf, struct pw_spf_outcome *out)
{
	if (spf->state != PW_SPF_END)
		return PW_ERR_STATE;
	if (spf->status != PW_OK)
		return spf->status;
	*out = spf->outcome;
	return PW_OK;
}

const char *pw_spf_result_text(enum pw_spf_result result)
{
	static const char *const texts[PW_SPF_RESULTS] = {
		[PW_SPF_NONE] = "none",           [PW_SPF_NEUTRAL] = "neutral",
		[PW_SPF_PASS] = "pass",           [PW_SPF_FAIL] = "fail",
		[PW_SPF_SOFTFAIL] = "softfail",   [PW_SPF_TEMPERROR] = "temperror",
		[PW_SPF_PERMERROR] = "permerror",
	};

	return (size_t)result < PW_LEN(texts) ? texts[result] : "?";
}
