#include "origin/engine/gate.h"

#include "core/pairs.h"

enum pw_status gate_add(struct gate *gate, struct pw_net network)
{
	if (gate->count == GATE_NETWORKS_MAX)
		return PW_ERR_LIMIT;
	gate->networks[gate->count++] = network;
	return PW_OK;
}

enum pw_status gate_add_list(struct gate *gate, struct pw_str list,
                             struct pw_str *bad_out)
{
	struct pw_str word;

	while (pw_list_next(&list, &word)) {
		struct pw_net network;
		enum pw_status r;

		if (pw_net_parse(&network, word) != PW_OK) {
			*bad_out = word;
			return PW_ERR_SYNTAX;
		}
		if ((r = gate_add(gate, network)) != PW_OK)
			return r;
	}
	return PW_OK;
}

const char *gate_objects(const struct gate *gate, const struct pw_origin *origin)
{
	struct pw_ip ip = pw_ip_unmap(origin->address);
	enum pw_origin_kind kind = pw_origin_kind(ip);

	if (kind != PW_ORIGIN_PUBLIC)
		return pw_origin_kind_text(kind);
	if (pw_ip_eq(ip, pw_ip_unmap(origin->server_address)))
		return "self";
	for (size_t i = 0; i < gate->count; i++)
		if (pw_net_contains(&gate->networks[i], ip))
			return "network";
	return NULL;
}
