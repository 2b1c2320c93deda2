#include "core/origin.h"
#include "tools/edge/bans.h"

#define AT "at "
#define CHUNK 1000 /* elements of one command */
/* What a banned client may not reach: mail. ssh stays, for whoever bans himself. */
#define PORTS "{ 25, 110, 143, 465, 587, 993, 995, 4190 }"

/* ---- as it is kept */

void bans_put(struct pw_buf *out, int64_t at_s, struct pw_str list)
{
	pw_buf_puts(out, PW_STR(AT));
	pw_buf_put_int(out, at_s);
	pw_buf_putc(out, '\n');
	pw_buf_puts(out, list);
}

enum pw_status bans_parse(struct bans_list *out, struct pw_arena *arena,
                          struct pw_str text, size_t *line_out)
{
	struct pw_str first = pw_str_cut(&text, '\n');
	struct bans_list bans;
	enum pw_status r;

	*line_out = 1;
	if (!pw_str_starts(first, PW_STR(AT)))
		return PW_ERR_SYNTAX;
	first = pw_str_sub(first, sizeof(AT) - 1, first.len);
	if ((r = pw_str_to_int64(first, 0, INT64_MAX / 2, &bans.at_s)) != PW_OK)
		return r;
	r = pw_banlist_parse(&bans.list, arena, text, line_out);
	++*line_out;
	if (r == PW_OK)
		*out = bans;
	return r;
}

/* ---- whom it never hits */

static size_t count_lines(struct pw_str text)
{
	size_t count = 1;

	for (size_t i = 0; i < text.len; i++)
		count += text.at[i] == '\n';
	return count;
}

enum pw_status bans_never_parse(struct bans_never *out, struct pw_arena *arena,
                                struct pw_str text, const struct bans_never *more,
                                size_t *line_out)
{
	struct bans_never never = { NULL, 0 };

	never.at =
		pw_arena_array(arena, count_lines(text) + more->count, sizeof(*never.at));
	if (never.at == NULL)
		return PW_ERR_NOMEM;
	for (*line_out = 1; text.len > 0; ++*line_out) {
		struct pw_str line = pw_str_cut(&text, '\n');

		line = pw_str_trim(pw_str_cut(&line, '#'));
		if (line.len == 0)
			continue;
		if (pw_net_parse(&never.at[never.count], line) != PW_OK)
			return PW_ERR_SYNTAX;
		never.count++;
	}
	for (size_t i = 0; i < more->count; i++)
		never.at[never.count++] = more->at[i];
	*out = never;
	return PW_OK;
}

static bool may_be_banned(const struct bans_never *never, const struct pw_net *net)
{
	if (pw_origin_kind(net->ip) != PW_ORIGIN_PUBLIC)
		return false;
	for (size_t i = 0; i < never->count; i++)
		if (pw_ban_overlaps(&never->at[i], net))
			return false;
	return true;
}

/* ---- nft */

/* A clock that stepped back makes no ban longer. */
int64_t bans_left_s(const struct bans_list *bans, const struct pw_ban *ban, int64_t now_s)
{
	int64_t age_s = now_s > bans->at_s ? now_s - bans->at_s : 0;

	return ban->seconds > age_s ? ban->seconds - age_s : 0;
}

static void put_head(struct pw_buf *out)
{
	pw_buf_puts(
		out,
		PW_STR("table inet " BANS_TABLE "\n"
	               "delete table inet " BANS_TABLE "\n"
	               "table inet " BANS_TABLE " {\n"
	               "\tset postward_bans4 { type ipv4_addr; flags timeout; }\n"
	               "\tset postward_bans6 { type ipv6_addr; flags timeout; }\n"
	               "\tchain input {\n"
	               "\t\ttype filter hook input priority filter - 10; policy accept;\n"
	               "\t\ttcp dport " PORTS " ip saddr @postward_bans4 counter drop\n"
	               "\t\ttcp dport " PORTS
	               " ip6 saddr & ffff:ffff:ffff:ffff:: @postward_bans6 counter drop\n"
	               "\t}\n"
	               "}\n"));
}

/* Those of one family: nets are told by their first address. */
static size_t put_family(struct pw_buf *out, const struct bans_list *bans,
                         const struct bans_never *never, uint8_t family, int64_t now_s)
{
	size_t count = 0;

	for (size_t i = 0; i < bans->list.count; i++) {
		const struct pw_ban *ban = &bans->list.at[i];
		int64_t left_s = bans_left_s(bans, ban, now_s);

		if (ban->net.ip.family != family || left_s == 0 ||
		    !may_be_banned(never, &ban->net))
			continue;
		if (count % CHUNK == 0)
			pw_buf_printf(out,
			              "%sadd element inet " BANS_TABLE
			              " postward_bans%d {\n",
			              count > 0 ? "}\n" : "", family);
		pw_ip_put(out, ban->net.ip);
		pw_buf_puts(out, PW_STR(" timeout "));
		pw_buf_put_int(out, left_s);
		pw_buf_puts(out, PW_STR("s,\n"));
		count++;
	}
	if (count > 0)
		pw_buf_puts(out, PW_STR("}\n"));
	return count;
}

size_t bans_put_nft(struct pw_buf *out, const struct bans_list *bans,
                    const struct bans_never *never, int64_t now_s)
{
	put_head(out);
	return put_family(out, bans, never, PW_IP_V4, now_s) +
	       put_family(out, bans, never, PW_IP_V6, now_s);
}
