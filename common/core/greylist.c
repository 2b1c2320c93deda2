#include "core/greylist.h"

#include "core/ascii.h"

/* Did it pass, and is that remembered yet? */
static bool is_known(const struct pw_greylist_record *record,
                     const struct pw_greylist_rule *rule, int64_t now_ms)
{
	return record->passed_ms > 0 && now_ms - record->passed_ms <= rule->keep_ms;
}

static void note_pass(struct pw_greylist_record *record, int64_t now_ms)
{
	if (record->first_ms == 0)
		record->first_ms = now_ms;
	if (now_ms > record->passed_ms)
		record->passed_ms = now_ms;
}

static void note_client_pass(struct pw_greylist_record *client,
                             const struct pw_greylist_rule *rule, bool is_another,
                             int64_t now_ms)
{
	if (!is_known(client, rule, now_ms))
		*client = (struct pw_greylist_record){ .passes = 0 };
	client->passes += is_another;
	note_pass(client, now_ms);
}

int64_t pw_greylist_judge(struct pw_greylist_record *triplet,
                          struct pw_greylist_record *client,
                          const struct pw_greylist_rule *rule, int64_t now_ms)
{
	int64_t waited_ms;

	if (rule->client_passes > 0 && client->passes >= rule->client_passes &&
	    is_known(client, rule, now_ms)) {
		note_client_pass(client, rule, false, now_ms);
		return 0;
	}
	if (is_known(triplet, rule, now_ms)) {
		note_pass(triplet, now_ms);
		if (client->passes > 0)
			note_client_pass(client, rule, false, now_ms);
		return 0;
	}
	waited_ms = now_ms - triplet->first_ms;
	if (triplet->first_ms == 0 || waited_ms < 0 || waited_ms > rule->window_ms ||
	    triplet->passed_ms != 0) {
		*triplet = (struct pw_greylist_record){ .first_ms = now_ms };
		return rule->delay_ms;
	}
	if (waited_ms < rule->delay_ms)
		return rule->delay_ms - waited_ms;
	note_pass(triplet, now_ms);
	note_client_pass(client, rule, true, now_ms);
	return 0;
}

void pw_greylist_merge(struct pw_greylist_record *record,
                       const struct pw_greylist_record *other,
                       const struct pw_greylist_rule *rule)
{
	bool is_earlier = record->first_ms == 0 ||
	                  (other->first_ms < record->first_ms &&
	                   record->first_ms - other->first_ms <= rule->window_ms);

	if (other->first_ms > 0 && is_earlier)
		record->first_ms = other->first_ms;
	if (other->passed_ms > record->passed_ms)
		record->passed_ms = other->passed_ms;
	if (other->passes > record->passes)
		record->passes = other->passes;
}

void pw_greylist_put_sender(struct pw_buf *out, struct pw_str sender)
{
	size_t at = pw_str_rfind(sender, '@');
	struct pw_str local = pw_str_sub(sender, 0, at);
	bool was_digit = false;

	if (pw_str_find(local, '+') > 0)
		local = pw_str_sub(local, 0, pw_str_find(local, '+'));
	for (size_t i = 0; i < local.len; i++) {
		bool is_digit = pw_is_digit(local.at[i]);

		if (!is_digit)
			pw_buf_putc(out, local.at[i]);
		else if (!was_digit)
			pw_buf_putc(out, '#');
		was_digit = is_digit;
	}
	pw_buf_puts(out, pw_str_sub(sender, at, sender.len));
}
