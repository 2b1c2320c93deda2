#include "io/spf.h"

enum pw_status pw_spf_run(struct pw_spf_outcome *out, struct pw_spf *spf,
                          struct pw_arena *arena, struct pw_resolver *resolver,
                          int64_t deadline_ms)
{
	struct pw_dns_question ask;
	struct pw_dns_answer answer;
	enum pw_status r;

	while (pw_spf_next(spf, &ask) == PW_SPF_ASK) {
		r = pw_dns_lookup(resolver, &ask, deadline_ms, arena, &answer);
		if (r != PW_OK)
			return r;
		pw_spf_feed(spf, &answer);
	}
	return pw_spf_outcome(spf, out);
}

enum pw_status pw_spf_check(struct pw_spf_outcome *out, struct pw_arena *arena,
                            const struct pw_spf_input *input,
                            struct pw_resolver *resolver, int64_t deadline_ms)
{
	struct pw_spf *spf;
	enum pw_status r = pw_spf_new(&spf, arena, input);

	return r == PW_OK ? pw_spf_run(out, spf, arena, resolver, deadline_ms) : r;
}
