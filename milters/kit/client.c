#include "kit/client.h"

static enum pw_status keep(const struct kit_session *s, struct pw_arena *arena,
                           const char *macro, struct pw_str *out)
{
	return pw_arena_copy(arena, pw_str_from(kit_macro(s, macro)), out);
}

static bool is_known(struct pw_str name)
{
	return name.len > 0 && !pw_str_eq_nocase(name, PW_STR("unknown")) &&
	       name.at[0] != '[';
}

/* Postfix's {client_resolve}: OK, FAIL, FORGED or TEMP. */
static enum pw_status learn_name(const struct kit_session *s, struct pw_arena *arena,
                                 struct pw_origin *out)
{
	struct pw_str resolve = pw_str_from(kit_macro(s, "{client_resolve}"));
	struct pw_str name, ptr;
	enum pw_status r;

	if ((r = keep(s, arena, "{client_name}", &name)) != PW_OK ||
	    (r = keep(s, arena, "{client_ptr}", &ptr)) != PW_OK)
		return r;
	out->name_state = pw_str_eq_nocase(resolve, PW_STR("TEMP")) ? PW_NAME_TEMPORARY
	                                                            : PW_NAME_NONE;
	if (is_known(ptr))
		out->ptr = ptr;
	if (is_known(name)) { /* Postfix names only what leads back to the address */
		out->name = name;
		out->name_state = PW_NAME_KNOWN;
	}
	return PW_OK;
}

static void learn_server(const struct kit_session *s, struct pw_origin *out)
{
	int64_t port;

	if (pw_ip_parse(&out->server_address,
	                pw_str_from(kit_macro(s, "{daemon_addr}"))) == PW_OK)
		out->server_address = pw_ip_unmap(out->server_address);
	if (pw_str_to_int64(pw_str_from(kit_macro(s, "{daemon_port}")), 1, 65535,
	                    &port) == PW_OK)
		out->server_port = (uint16_t)port;
}

enum pw_status kit_client(const struct kit_session *s, struct pw_arena *arena,
                          struct pw_origin *out)
{
	out->address = s->client;
	out->port = s->client_port;
	learn_server(s, out);
	return learn_name(s, arena, out);
}
