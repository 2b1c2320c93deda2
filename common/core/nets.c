#include "core/nets.h"

#include "core/pairs.h"

enum pw_status pw_nets_parse(struct pw_nets *out, struct pw_str text,
                             struct pw_str *bad_out)
{
	struct pw_str word;
	enum pw_status r;

	while (pw_list_next(&text, &word)) {
		if (out->count == PW_NETS_MAX)
			return PW_ERR_LIMIT;
		if ((r = pw_net_parse(&out->nets[out->count], word)) != PW_OK) {
			*bad_out = word;
			return r;
		}
		out->count++;
	}
	return PW_OK;
}

bool pw_nets_contain(const struct pw_nets *nets, struct pw_ip ip)
{
	ip = pw_ip_unmap(ip);
	for (size_t i = 0; i < nets->count; i++)
		if (pw_net_contains(&nets->nets[i], ip))
			return true;
	return false;
}
