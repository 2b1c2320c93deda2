#include "core/banlist.h"

#include <stdlib.h>
#include <string.h>

#define BITS_V4 32
#define BITS_V6 64
#define END "end "

struct pw_net pw_ban_net(struct pw_ip ip)
{
	ip = pw_ip_unmap(ip);
	if (ip.family == PW_IP_V4)
		return (struct pw_net){ ip, BITS_V4 };
	memset(ip.bytes + BITS_V6 / 8, 0, sizeof(ip.bytes) - BITS_V6 / 8);
	return (struct pw_net){ ip, BITS_V6 };
}

bool pw_ban_overlaps(const struct pw_net *a, const struct pw_net *b)
{
	return pw_net_contains(a, b->ip) || pw_net_contains(b, a->ip);
}

void pw_ban_put(struct pw_buf *out, const struct pw_ban *ban)
{
	pw_ip_put(out, ban->net.ip);
	if (ban->net.ip.family == PW_IP_V6)
		pw_buf_printf(out, "/%d", ban->net.bits);
	pw_buf_putc(out, ' ');
	pw_buf_put_int(out, ban->seconds);
	pw_buf_putc(out, '\n');
}

void pw_banlist_put_end(struct pw_buf *out, size_t count)
{
	pw_buf_puts(out, PW_STR(END));
	pw_buf_put_int(out, (int64_t)count);
	pw_buf_putc(out, '\n');
}

static enum pw_status parse_net(struct pw_net *out, struct pw_str text)
{
	struct pw_net net, whole;

	if (pw_net_parse(&net, text) != PW_OK)
		return PW_ERR_SYNTAX;
	whole = pw_ban_net(net.ip);
	/* neither a wider network nor bits behind the prefix, nor a mapped address */
	if (net.bits != whole.bits || !pw_ip_eq(net.ip, whole.ip))
		return PW_ERR_SYNTAX;
	if (net.ip.family == PW_IP_V4 && pw_str_find(text, '/') < text.len)
		return PW_ERR_SYNTAX;
	*out = net;
	return PW_OK;
}

static enum pw_status parse_line(struct pw_ban *out, struct pw_str line)
{
	struct pw_str net = pw_str_cut(&line, ' ');
	enum pw_status r = parse_net(&out->net, net);

	if (r == PW_OK)
		r = pw_str_to_int64(line, 1, PW_BANLIST_SECONDS_MAX, &out->seconds);
	return r;
}

/* The longer one of an address first. */
static int compare(const void *a, const void *b)
{
	const struct pw_ban *one = a, *two = b;
	int order = pw_ip_cmp(one->net.ip, two->net.ip);

	if (order != 0)
		return order;
	return (one->seconds < two->seconds) - (one->seconds > two->seconds);
}

static void tidy(struct pw_banlist *list)
{
	size_t kept = 0;

	if (list->count == 0)
		return;
	qsort(list->at, list->count, sizeof(*list->at), compare);
	for (size_t i = 1; i < list->count; i++)
		if (!pw_ip_eq(list->at[i].net.ip, list->at[kept].net.ip))
			list->at[++kept] = list->at[i];
	list->count = kept + 1;
}

static size_t count_lines(struct pw_str text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.at[i] == '\n';
	return count;
}

static enum pw_status parse_end(const struct pw_banlist *list, struct pw_str line,
                                struct pw_str rest)
{
	int64_t count;

	line = pw_str_sub(line, sizeof(END) - 1, line.len);
	if (pw_str_to_int64(line, 0, (int64_t)PW_BANLIST_MAX, &count) != PW_OK ||
	    (size_t)count != list->count || rest.len > 0)
		return PW_ERR_SYNTAX;
	return PW_OK;
}

enum pw_status pw_banlist_parse(struct pw_banlist *out, struct pw_arena *arena,
                                struct pw_str text, size_t *line_out)
{
	struct pw_banlist list = { NULL, 0 };
	size_t lines = count_lines(text);
	enum pw_status r;

	*line_out = lines;
	if (lines == 0 || text.at[text.len - 1] != '\n')
		return PW_ERR_SYNTAX; /* cut off */
	if (lines > PW_BANLIST_MAX + 1)
		return PW_ERR_LIMIT;
	if ((list.at = pw_arena_array(arena, lines, sizeof(*list.at))) == NULL)
		return PW_ERR_NOMEM;
	for (*line_out = 1; text.len > 0; ++*line_out) {
		struct pw_str line = pw_str_cut(&text, '\n');

		if (pw_str_starts(line, PW_STR(END))) {
			if ((r = parse_end(&list, line, text)) != PW_OK)
				return r;
			tidy(&list);
			*out = list;
			return PW_OK;
		}
		if ((r = parse_line(&list.at[list.count], line)) != PW_OK)
			return r;
		list.count++;
	}
	return PW_ERR_SYNTAX;
}
