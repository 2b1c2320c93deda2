#include "tools/answers.h"

struct json_object *tool_spf_json(const struct pw_spf_outcome *outcome)
{
	struct json_object *json = json_object_new_object();

	tool_json_add(json, "result", pw_str_from(pw_spf_result_text(outcome->result)));
	tool_json_add(json, "explanation", outcome->explanation);
	json_object_object_add(json, "lookups", json_object_new_int(outcome->lookups));
	tool_json_add(json, "domain", outcome->domain);
	tool_json_add(json, "term", outcome->term);
	return json;
}

static struct json_object *signature_json(const struct pw_dkim_verdict *v)
{
	struct json_object *json = json_object_new_object();

	tool_json_add(json, "domain", v->domain);
	tool_json_add(json, "selector", v->selector);
	tool_json_add(json, "algorithm", v->algorithm);
	tool_json_add(json, "identity", v->identity);
	tool_json_add(json, "result", pw_str_from(pw_dkim_result_text(v->result)));
	tool_json_add(json, "reason", pw_str_from(v->reason));
	json_object_object_add(json, "key_bits", json_object_new_int((int)v->key_bits));
	json_object_object_add(json, "length_used",
	                       json_object_new_boolean(v->has_length));
	return json;
}

struct json_object *tool_dkim_json(const struct pw_dkim_verdict *verdicts, size_t count)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		json_object_array_add(list, signature_json(&verdicts[i]));
	return list;
}

struct json_object *tool_arc_json(const struct pw_arc_verdict *verdict)
{
	struct json_object *json = json_object_new_object();

	tool_json_add(json, "result", pw_str_from(pw_arc_result_text(verdict->result)));
	tool_json_add(json, "reason", pw_str_from(verdict->reason));
	json_object_object_add(json, "sets",
	                       json_object_new_int((int)verdict->chain->count));
	return json;
}

static struct json_object *published_json(const struct pw_dmarc_record *record)
{
	struct json_object *json = json_object_new_object();

	tool_json_add(json, "p", pw_str_from(pw_dmarc_policy_text(record->p)));
	tool_json_add(json, "sp", pw_str_from(pw_dmarc_policy_text(record->sp)));
	tool_json_add(json, "np", pw_str_from(pw_dmarc_policy_text(record->np)));
	tool_json_add(json, "adkim", record->is_dkim_strict ? PW_STR("s") : PW_STR("r"));
	tool_json_add(json, "aspf", record->is_spf_strict ? PW_STR("s") : PW_STR("r"));
	json_object_object_add(json, "pct", json_object_new_int(record->pct));
	json_object_object_add(json, "t", json_object_new_boolean(record->is_test));
	tool_json_add(json, "rua", record->rua);
	return json;
}

struct json_object *tool_dmarc_json(const struct pw_dmarc_outcome *outcome)
{
	struct json_object *json = json_object_new_object();
	struct json_object *aligned = json_object_new_array();

	if (outcome->is_spf_aligned)
		json_object_array_add(aligned, json_object_new_string("spf"));
	if (outcome->is_dkim_aligned)
		json_object_array_add(aligned, json_object_new_string("dkim"));
	tool_json_add(json, "result", pw_str_from(pw_dmarc_result_text(outcome->result)));
	tool_json_add(json, "policy", pw_str_from(pw_dmarc_policy_text(outcome->policy)));
	tool_json_add(json, "disposition",
	              pw_str_from(pw_dmarc_policy_text(outcome->disposition)));
	json_object_object_add(json, "alignment", aligned);
	tool_json_add(json, "domain", outcome->domain);
	tool_json_add(json, "reason", pw_str_from(pw_dmarc_reason_text(outcome->reason)));
	if (outcome->has_record)
		json_object_object_add(json, "published",
		                       published_json(&outcome->record));
	return json;
}

struct json_object *tool_none_json(const char *reason)
{
	struct json_object *json = json_object_new_object();

	tool_json_add(json, "result", PW_STR("none"));
	tool_json_add(json, "reason", pw_str_from(reason));
	return json;
}
