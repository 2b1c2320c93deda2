#include "core/spf_machine.h"

#define EXPANSION_MAX ((size_t)64 * 1024)

static enum pw_dns_type address_type(const struct pw_spf *spf)
{
	return spf->ip.family == PW_IP_V6 ? PW_DNS_AAAA : PW_DNS_A;
}

/* ---- names ---- */

/* Does name equal zone, or end in ".zone"? */
static bool is_under(struct pw_str name, struct pw_str zone)
{
	if (pw_str_eq_nocase(name, zone))
		return true;
	return name.len > zone.len && name.at[name.len - zone.len - 1] == '.' &&
	       pw_str_ends_nocase(name, zone);
}

static bool has_address(const struct pw_spf *spf, const struct pw_dns_answer *answer,
                        const struct pw_spf_term *term)
{
	unsigned bits = spf->ip.family == PW_IP_V6 ? 128 : 32;

	if (term != NULL)
		bits = spf->ip.family == PW_IP_V6 ? term->bits6 : term->bits4;
	for (size_t i = 0; i < answer->count; i++) {
		struct pw_net net = { answer->records[i].ip, (uint8_t)bits };

		if (pw_net_contains(&net, spf->ip))
			return true;
	}
	return false;
}

/* Is name, found by PTR, validated: does it have the client's address? An error means no
 * (5.5). */
static enum pw_spf_match validate(struct pw_spf *spf, struct pw_str name)
{
	const struct pw_dns_answer *answer = pw_spf_lookup(spf, address_type(spf), name);

	if (answer == NULL)
		return PW_SPF_MATCH_WAIT;
	return has_address(spf, answer, NULL) ? PW_SPF_MATCH_YES : PW_SPF_MATCH_NO;
}

static size_t hosts_used(const struct pw_dns_answer *answer)
{
	return answer->count < PW_SPF_HOSTS_MAX ? answer->count : PW_SPF_HOSTS_MAX;
}

/* %{p} (7.3): a validated name of the client; the domain itself before one under it
 * before any other; else "unknown". */
static enum pw_spf_match find_validated_name(struct pw_spf *spf, struct pw_str domain,
                                             struct pw_str *out)
{
	const struct pw_dns_answer *names = pw_spf_lookup(spf, PW_DNS_PTR, spf->arpa);

	if (names == NULL)
		return PW_SPF_MATCH_WAIT;
	*out = PW_STR("unknown");
	for (int wanted = 2; wanted >= 0; wanted--)
		for (size_t i = 0; i < hosts_used(names); i++) {
			struct pw_str name = names->records[i].text;
			int rank =
				is_under(name, domain) + pw_str_eq_nocase(name, domain);
			enum pw_spf_match valid;

			if (rank != wanted)
				continue;
			if ((valid = validate(spf, name)) == PW_SPF_MATCH_WAIT)
				return PW_SPF_MATCH_WAIT;
			if (valid == PW_SPF_MATCH_YES) {
				*out = name;
				return PW_SPF_MATCH_YES;
			}
		}
	return PW_SPF_MATCH_YES;
}

enum pw_spf_match pw_spf_expand(struct pw_spf *spf, struct pw_buf *out,
                                struct pw_str spec)
{
	struct pw_spf_macro_values values = spf->values;
	struct pw_str domain = pw_spf_current(spf)->domain;

	values.by_letter['d' - 'a'] = domain;
	if (pw_spf_macro_uses(spec, 'p') &&
	    find_validated_name(spf, domain, &values.by_letter['p' - 'a']) ==
	            PW_SPF_MATCH_WAIT)
		return PW_SPF_MATCH_WAIT;
	pw_spf_macro_expand(out, spec, &values);
	if (pw_buf_status(out) == PW_ERR_NOMEM) {
		pw_spf_give_up(spf, PW_ERR_NOMEM);
		return PW_SPF_MATCH_WAIT;
	}
	return pw_buf_status(out) == PW_OK ? PW_SPF_MATCH_YES : PW_SPF_MATCH_NO;
}

enum pw_spf_match pw_spf_target(struct pw_spf *spf, struct pw_str spec,
                                struct pw_str *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { .max = EXPANSION_MAX };
	struct pw_str name;
	enum pw_spf_match r;

	if (spec.len == 0) {
		*out = pw_spf_current(spf)->domain;
		return PW_SPF_MATCH_YES;
	}
	if ((r = pw_spf_expand(spf, &text, spec)) != PW_SPF_MATCH_YES)
		return r;
	name = pw_buf_str(&text);
	if (name.len > 0 && name.at[name.len - 1] == '.')
		name.len--;
	while (name.len >
	       PW_DNS_NAME_MAX) /* 7.3: labels go from the left until it fits */
		(void)pw_str_cut(&name, '.');
	if (!pw_dns_name_is_valid(name))
		return PW_SPF_MATCH_NO;
	*out = pw_spf_keep(spf, name);
	return spf->state == PW_SPF_END ? PW_SPF_MATCH_WAIT : PW_SPF_MATCH_YES;
}

/* ---- mechanisms ---- */

typedef enum pw_spf_match matcher(struct pw_spf *spf, const struct pw_spf_term *term);

static enum pw_spf_match match_all(struct pw_spf *spf, const struct pw_spf_term *term)
{
	(void)spf;
	(void)term;
	return PW_SPF_MATCH_YES;
}

static enum pw_spf_match match_net(struct pw_spf *spf, const struct pw_spf_term *term)
{
	return pw_net_contains(&term->net, spf->ip) ? PW_SPF_MATCH_YES : PW_SPF_MATCH_NO;
}

/* Addresses of name against the client, prefix lengths of the term applied. */
static enum pw_spf_match match_host(struct pw_spf *spf, const struct pw_spf_term *term,
                                    const struct pw_dns_answer *answer)
{
	if (answer == NULL)
		return PW_SPF_MATCH_WAIT;
	if (pw_dns_is_error(answer))
		return PW_SPF_MATCH_TEMPERROR;
	return has_address(spf, answer, term) ? PW_SPF_MATCH_YES : PW_SPF_MATCH_NO;
}

static enum pw_spf_match match_a(struct pw_spf *spf, const struct pw_spf_term *term)
{
	struct pw_str name;
	enum pw_spf_match r = pw_spf_target(spf, term->domain, &name);

	if (r != PW_SPF_MATCH_YES)
		return r;
	return match_host(spf, term, pw_spf_lookup_main(spf, address_type(spf), name));
}

static enum pw_spf_match match_mx(struct pw_spf *spf, const struct pw_spf_term *term)
{
	const struct pw_dns_answer *hosts;
	struct pw_str name;
	enum pw_spf_match r = pw_spf_target(spf, term->domain, &name);

	if (r != PW_SPF_MATCH_YES)
		return r;
	if ((hosts = pw_spf_lookup_main(spf, PW_DNS_MX, name)) == NULL)
		return PW_SPF_MATCH_WAIT;
	if (pw_dns_is_error(hosts))
		return PW_SPF_MATCH_TEMPERROR;
	if (hosts->count > PW_SPF_HOSTS_MAX)
		return PW_SPF_MATCH_PERMERROR;
	for (size_t i = 0; i < hosts->count; i++) {
		r = match_host(
			spf, term,
			pw_spf_lookup(spf, address_type(spf), hosts->records[i].text));
		if (r != PW_SPF_MATCH_NO)
			return r;
	}
	return PW_SPF_MATCH_NO;
}

static enum pw_spf_match match_ptr(struct pw_spf *spf, const struct pw_spf_term *term)
{
	const struct pw_dns_answer *names;
	struct pw_str target;
	enum pw_spf_match r = pw_spf_target(spf, term->domain, &target);

	if (r != PW_SPF_MATCH_YES)
		return r;
	if ((names = pw_spf_lookup_main(spf, PW_DNS_PTR, spf->arpa)) == NULL)
		return PW_SPF_MATCH_WAIT;
	for (size_t i = 0; i < hosts_used(names); i++)
		if (is_under(names->records[i].text, target) &&
		    (r = validate(spf, names->records[i].text)) != PW_SPF_MATCH_NO)
			return r;
	return PW_SPF_MATCH_NO;
}

static enum pw_spf_match match_exists(struct pw_spf *spf, const struct pw_spf_term *term)
{
	const struct pw_dns_answer *answer;
	struct pw_str name;
	enum pw_spf_match r = pw_spf_target(spf, term->domain, &name);

	if (r != PW_SPF_MATCH_YES)
		return r;
	if ((answer = pw_spf_lookup_main(spf, PW_DNS_A, name)) == NULL)
		return PW_SPF_MATCH_WAIT;
	if (pw_dns_is_error(answer))
		return PW_SPF_MATCH_TEMPERROR;
	return answer->count > 0 ? PW_SPF_MATCH_YES : PW_SPF_MATCH_NO;
}

/* First call: push the frame of the included domain and wait. Second: judge its result.
 */
static enum pw_spf_match match_include(struct pw_spf *spf, const struct pw_spf_term *term)
{
	/* RFC 7208 5.2, the table */
	static const enum pw_spf_match by_child[PW_SPF_RESULTS] = {
		[PW_SPF_PASS] = PW_SPF_MATCH_YES,
		[PW_SPF_FAIL] = PW_SPF_MATCH_NO,
		[PW_SPF_SOFTFAIL] = PW_SPF_MATCH_NO,
		[PW_SPF_NEUTRAL] = PW_SPF_MATCH_NO,
		[PW_SPF_TEMPERROR] = PW_SPF_MATCH_TEMPERROR,
		[PW_SPF_PERMERROR] = PW_SPF_MATCH_PERMERROR,
		[PW_SPF_NONE] = PW_SPF_MATCH_PERMERROR,
	};
	struct pw_spf_frame *frame = pw_spf_current(spf);
	struct pw_str name;
	enum pw_spf_match r;

	if (frame->has_child_result)
		return by_child[frame->child_result];
	if ((r = pw_spf_target(spf, term->domain, &name)) != PW_SPF_MATCH_YES)
		return r == PW_SPF_MATCH_NO ? PW_SPF_MATCH_PERMERROR : r;
	if (++spf->depth == PW_SPF_FRAMES_MAX) {
		spf->depth--;
		pw_spf_give_up(spf, PW_ERR_STATE); /* cannot be: includes are counted */
		return PW_SPF_MATCH_WAIT;
	}
	*pw_spf_current(spf) = (struct pw_spf_frame){ .domain = name };
	pw_spf_enter(spf, PW_SPF_FETCH);
	return PW_SPF_MATCH_WAIT;
}

/* clang-format off */
static const struct {
	bool is_counted; /* against PW_SPF_LOOKUPS_MAX, 4.6.4 */
	matcher *match;
} mechanisms[PW_SPF_MECHANISMS] = {
	[PW_SPF_ALL]     = { false, match_all     },
	[PW_SPF_INCLUDE] = { true,  match_include },
	[PW_SPF_A]       = { true,  match_a       },
	[PW_SPF_MX]      = { true,  match_mx      },
	[PW_SPF_PTR]     = { true,  match_ptr     },
	[PW_SPF_IP4]     = { false, match_net     },
	[PW_SPF_IP6]     = { false, match_net     },
	[PW_SPF_EXISTS]  = { true,  match_exists  },
};
/* clang-format on */

bool pw_spf_is_counted(enum pw_spf_mechanism mechanism)
{
	return mechanisms[mechanism].is_counted;
}

enum pw_spf_match pw_spf_match(struct pw_spf *spf, const struct pw_spf_term *term)
{
	return mechanisms[term->mechanism].match(spf, term);
}
