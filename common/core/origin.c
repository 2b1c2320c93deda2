#include "core/origin.h"

/* clang-format off */
static const struct {
	uint8_t family;
	uint8_t bits;
	enum pw_origin_kind kind;
	uint8_t bytes[16];
} special[] = {
	{ PW_IP_V4, 8,   PW_ORIGIN_RESERVED, { 0 } },                      /* RFC 1122 3.2.1.3 */
	{ PW_IP_V4, 8,   PW_ORIGIN_LOOPBACK, { 127 } },
	{ PW_IP_V4, 8,   PW_ORIGIN_PRIVATE,  { 10 } },                     /* RFC 1918 */
	{ PW_IP_V4, 12,  PW_ORIGIN_PRIVATE,  { 172, 16 } },
	{ PW_IP_V4, 16,  PW_ORIGIN_PRIVATE,  { 192, 168 } },
	{ PW_IP_V4, 10,  PW_ORIGIN_PRIVATE,  { 100, 64 } },                /* RFC 6598 */
	{ PW_IP_V4, 16,  PW_ORIGIN_PRIVATE,  { 169, 254 } },               /* RFC 3927 */
	{ PW_IP_V4, 4,   PW_ORIGIN_RESERVED, { 224 } },                    /* RFC 5771 */
	{ PW_IP_V4, 4,   PW_ORIGIN_RESERVED, { 240 } },                    /* and broadcast */
	{ PW_IP_V6, 128, PW_ORIGIN_RESERVED, { 0 } },
	{ PW_IP_V6, 128, PW_ORIGIN_LOOPBACK, { [15] = 1 } },
	{ PW_IP_V6, 7,   PW_ORIGIN_PRIVATE,  { 0xfc } },                   /* RFC 4193 */
	{ PW_IP_V6, 10,  PW_ORIGIN_PRIVATE,  { 0xfe, 0x80 } },             /* link-local */
	{ PW_IP_V6, 10,  PW_ORIGIN_PRIVATE,  { 0xfe, 0xc0 } },             /* RFC 3879 */
	{ PW_IP_V6, 8,   PW_ORIGIN_RESERVED, { 0xff } },
};
/* clang-format on */

enum pw_origin_kind pw_origin_kind(struct pw_ip address)
{
	struct pw_net net = { 0 };

	if (address.family == PW_IP_NONE)
		return PW_ORIGIN_MISSING;
	address = pw_ip_unmap(address);
	for (size_t i = 0; i < PW_LEN(special); i++) {
		net.ip.family = special[i].family;
		net.bits = special[i].bits;
		for (size_t b = 0; b < sizeof(net.ip.bytes); b++)
			net.ip.bytes[b] = special[i].bytes[b];
		if (pw_net_contains(&net, address))
			return special[i].kind;
	}
	return PW_ORIGIN_PUBLIC;
}

const char *pw_origin_kind_text(enum pw_origin_kind kind)
{
	static const char *const texts[] = {
		[PW_ORIGIN_PUBLIC] = "public",     [PW_ORIGIN_MISSING] = "missing",
		[PW_ORIGIN_LOOPBACK] = "loopback", [PW_ORIGIN_PRIVATE] = "private",
		[PW_ORIGIN_RESERVED] = "reserved",
	};

	return (size_t)kind < PW_LEN(texts) ? texts[kind] : "unknown";
}

void pw_origin_put(struct pw_buf *out, const struct pw_origin *origin)
{
	bool is_named = origin->name_state == PW_NAME_KNOWN && origin->name.len > 0;

	pw_buf_puts(out, is_named ? origin->name : PW_STR("unknown"));
	pw_buf_putc(out, '[');
	if (origin->address.family == PW_IP_NONE)
		pw_buf_puts(out, PW_STR("unknown"));
	else
		pw_ip_put(out, origin->address);
	pw_buf_putc(out, ']');
}
