#include "policyd/doveadm.h"

static bool is_name(struct pw_str login)
{
	for (size_t i = 0; i < login.len; i++)
		if ((unsigned char)login.at[i] < ' ' || login.at[i] == 0x7f)
			return false;
	return login.len > 0;
}

/* A mask has no way to quote: a '*' in a login becomes '?', which stands for one
 * character and not for any number of them. */
static void put_mask(struct pw_buf *out, struct pw_str login)
{
	for (size_t i = 0; i < login.len; i++)
		pw_buf_putc(out, login.at[i] == '*' ? '?' : login.at[i]);
}

/* Fields: flags, user the command runs as (nobody), command, its arguments. */
enum pw_status doveadm_put_kick(struct pw_buf *out, struct pw_str login)
{
	if (!is_name(login))
		return PW_ERR_SYNTAX;
	pw_buf_puts(out, PW_STR("VERSION\tdoveadm-server\t1\t0\n\t\tkick\t"));
	if (pw_str_starts(login, PW_STR("@")) || pw_str_eq(login, PW_STR("*")))
		pw_buf_putc(out, '*');
	if (!pw_str_eq(login, PW_STR("*")))
		put_mask(out, login);
	pw_buf_putc(out, '\n');
	return pw_buf_status(out);
}

static enum doveadm_answer read_status(struct pw_str printed, struct pw_str status)
{
	if (pw_str_eq(status, PW_STR("+"))) /* 2.3 prints names, 2.4 a number */
		return printed.len == 0 || pw_str_eq(printed, PW_STR("0\t"))
		               ? DOVEADM_NONE
		               : DOVEADM_CLOSED;
	if (pw_str_eq(status, PW_STR("-NOTFOUND"))) /* 2.3: nobody to close */
		return DOVEADM_NONE;
	return pw_str_starts(status, PW_STR("-")) ? DOVEADM_FAILED : DOVEADM_ALIEN;
}

/* Three lines: "+" to who connects, what the command printed, its status. */
enum doveadm_answer doveadm_read(struct pw_str bytes, bool is_end)
{
	struct pw_str lines[3];

	for (size_t i = 0; i < PW_LEN(lines); i++) {
		if (pw_str_find(bytes, '\n') == bytes.len) {
			if (bytes.len >= DOVEADM_ANSWER_MAX)
				return DOVEADM_ALIEN;
			return is_end ? DOVEADM_FAILED : DOVEADM_MORE;
		}
		lines[i] = pw_str_cut(&bytes, '\n');
		if (i == 0 && pw_str_eq(lines[0], PW_STR("-")))
			return DOVEADM_DENIED;
		if (i == 0 && !pw_str_eq(lines[0], PW_STR("+")))
			return DOVEADM_ALIEN;
	}
	return read_status(lines[1], lines[2]);
}

const char *doveadm_answer_name(enum doveadm_answer answer)
{
	static const char *const names[] = { "more",   "closed", "none",
		                             "denied", "failed", "alien" };

	return names[answer];
}
