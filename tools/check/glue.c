#include "tools/check/postfix.h"

/* The judgements over Postfix's settings, for the table of checks. */
static void judge(struct check_report *report, const struct check_context *context,
                  void (*judgement)(struct check_report *, const struct postconf *,
                                    enum check_role))
{
	if (context->postfix.count > 0)
		judgement(report, &context->postfix, context->role);
	else
		check_blind(report, "%.*s", PW_FMT(context->postfix_why));
}

void check_main_cf(struct check_report *report, const struct check_context *context)
{
	if (context->postfix.count > 0) {
		judge_main_cf(report, &context->postfix, context->role);
		return;
	}
	check_error(report, "Postfix's settings cannot be read: %.*s",
	            PW_FMT(context->postfix_why));
	check_cure(report, "postwardctl setup");
}

void check_milters(struct check_report *report, const struct check_context *context)
{
	judge(report, context, judge_milters);
}

void check_stages(struct check_report *report, const struct check_context *context)
{
	judge(report, context, judge_stages);
}

void check_relay(struct check_report *report, const struct check_context *context)
{
	judge(report, context, judge_relay);
	if (context->postfix.count > 0 && context->role == CHECK_INNER &&
	    context->peer.len > 0)
		judge_peer(report, &context->postfix, context->peer);
}

void check_tls(struct check_report *report, const struct check_context *context)
{
	judge(report, context, judge_tls);
}
