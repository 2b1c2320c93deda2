#include "origin/engine/gate.h"

enum pw_status gate_add(struct gate *gate, struct pw_net network)
{
	if (gate->count == GATE_NETWORKS_MAX)
		return PW_ERR_LIMIT;
	gate->networks[gate->count++] = network;
	return PW_OK;
}

static size_t separator(struct pw_str list)
{
	size_t i = 0;

	while (i < list.len && list.at[i] != ',' && list.at[i] != ' ' &&
	       list.at[i] != '\t')
		i++;
	return i;
}

enum pw_status gate_add_list(struct gate *gate, struct pw_str list,
                             struct pw_str *bad_out)
{
	while (list.len > 0) {
		struct pw_str word = pw_str_sub(list, 0, separator(list));
		struct pw_net network;
		enum pw_status r;

		list = pw_str_sub(list, word.len + 1, list.len);
		if (word.len == 0)
			continue;
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
