#include "kit/reply.h"

#include <string.h>

#include "core/ascii.h"
#include "kit/foreign.h"

/* RFC 3463 2: class 4 or 5, then two numbers of one to three digits. */
static bool is_enhanced(struct pw_str text, int class)
{
	size_t parts = 0;

	if (text.len < 5 || text.at[0] != '0' + class || text.at[1] != '.')
		return false;
	text = pw_str_sub(text, 2, text.len);
	while (text.at) {
		struct pw_str part = pw_str_cut(&text, '.');

		if (part.len < 1 || part.len > 3 || ++parts > 2)
			return false;
		for (size_t i = 0; i < part.len; i++)
			if (!pw_is_digit(part.at[i]))
				return false;
	}
	return parts == 2;
}

static void put_line(struct pw_buf *out, struct pw_str line)
{
	line = pw_str_sub(line, 0, KIT_REPLY_LINE_MAX);
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.at[i];

		if (c == '%') /* Postfix and Sendmail turn "%%" into one */
			pw_buf_putc(out, '%');
		pw_buf_putc(out, (char)(c < ' ' || c == 0x7f ? '?' : c));
	}
	pw_buf_putc(out, '\0');
}

enum pw_status kit_reply_plan(struct kit_reply *out, int code, struct pw_str enhanced,
                              struct pw_str text)
{
	struct kit_reply plan = { .code = code };

	if (code < 400 || code > 599 || code == 421)
		plan.code = 451;
	if (is_enhanced(enhanced, plan.code / 100) &&
	    enhanced.len < sizeof(plan.enhanced))
		memcpy(plan.enhanced, enhanced.at, enhanced.len);
	else
		memcpy(plan.enhanced, plan.code >= 500 ? "5.0.0" : "4.0.0", 6);
	do {
		struct pw_str line = pw_str_cut(&text, '\n');

		if (line.len && line.at[line.len - 1] == '\r')
			line.len--;
		put_line(&plan.text, line);
		plan.lines++;
	} while (text.at && text.len && plan.lines < KIT_REPLY_LINES);
	if (pw_buf_status(&plan.text) != PW_OK) {
		kit_reply_done(&plan);
		return PW_ERR_NOMEM;
	}
	*out = plan;
	return PW_OK;
}

void kit_reply_done(struct kit_reply *reply)
{
	pw_buf_done(&reply->text);
	reply->lines = 0;
}

/* smfi_setmlreply(3) wants its lines as arguments and stops at the first NULL. */
static int hand_over(struct kit_session *s, const struct kit_reply *reply)
{
	char code[4] = "";
	const char *l[KIT_REPLY_LINES] = { NULL };
	const char *at = reply->text.at;

	for (int i = 2, rest = reply->code; i >= 0; i--, rest /= 10)
		code[i] = (char)('0' + rest % 10);
	for (size_t i = 0; i < reply->lines; i++, at += strlen(at) + 1)
		l[i] = at;
	if (reply->lines == 1)
		return smfi_setreply(s->ctx, code, kit_foreign(reply->enhanced),
		                     kit_foreign(l[0]));
	return smfi_setmlreply(s->ctx, code, reply->enhanced, l[0], l[1], l[2], l[3],
	                       l[4], l[5], l[6], l[7], l[8], l[9], l[10], l[11], l[12],
	                       l[13], l[14], l[15], l[16], l[17], l[18], l[19], l[20],
	                       l[21], l[22], l[23], l[24], l[25], l[26], l[27], l[28],
	                       l[29], l[30], l[31], NULL);
}

sfsistat kit_say(struct kit_session *s, int code, const char *enhanced,
                 struct pw_str text)
{
	PW_AUTO(kit_reply_done) struct kit_reply reply = { 0 };

	if (kit_reply_plan(&reply, code, pw_str_from(enhanced), text) != PW_OK)
		return code >= 500 && code <= 599 ? SMFIS_REJECT : SMFIS_TEMPFAIL;
	(void)hand_over(s, &reply); /* refused: the bare verdict stands */
	return reply.code >= 500 ? SMFIS_REJECT : SMFIS_TEMPFAIL;
}
