#include "io/zone.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "core/map.h"
#include "io/file.h"
#include "io/resolver.h"

#define ALIASES_MAX 8 /* CNAME after CNAME; longer chains and loops are SERVFAIL */
#define NAMES_MAX 1000000

struct entry {
	enum pw_dns_rcode rcode; /* of the types not listed */
	struct pw_str alias;     /* CNAME, or empty */
	struct {
		bool is_listed;
		const struct pw_dns_record *records;
		size_t count;
	} types[PW_DNS_TYPES];
};

struct zone {
	struct pw_resolver base;
	struct pw_arena *arena;
	struct pw_map *entries; /* lower-case name without final dot to struct entry */
};

struct ticket {
	struct pw_dns_ticket base;
	const struct zone *zone;
	enum pw_dns_type type;
	struct pw_buf name;
};

/* ---- answering ---- */

static struct pw_str without_final_dot(struct pw_str name)
{
	if (name.len > 0 && name.at[name.len - 1] == '.')
		name.len--;
	return name;
}

static enum pw_status zone_ask(struct pw_resolver *resolver,
                               const struct pw_dns_question *question,
                               struct pw_dns_ticket **out)
{
	struct ticket *ticket = calloc(1, sizeof(*ticket));

	if (ticket == NULL)
		return PW_ERR_NOMEM;
	ticket->base.kind = resolver->kind;
	ticket->zone = (const struct zone *)resolver;
	ticket->type = question->type;
	pw_buf_put_lower(&ticket->name, without_final_dot(question->name));
	if (pw_buf_status(&ticket->name) != PW_OK) {
		free(ticket);
		return PW_ERR_NOMEM;
	}
	*out = &ticket->base;
	return PW_OK;
}

static enum pw_status copy_records(struct pw_dns_answer *answer, struct pw_arena *arena,
                                   const struct pw_dns_record *records, size_t count)
{
	struct pw_dns_record *copy = pw_arena_array(arena, count, sizeof(*copy));
	enum pw_status r;

	if (copy == NULL)
		return PW_ERR_NOMEM;
	for (size_t i = 0; i < count; i++) {
		copy[i] = records[i];
		if ((r = pw_arena_copy(arena, records[i].text, &copy[i].text)) != PW_OK)
			return r;
	}
	answer->records = copy;
	answer->count = count;
	return PW_OK;
}

static enum pw_status zone_wait(struct pw_dns_ticket *base, int64_t deadline_ms,
                                struct pw_arena *arena, struct pw_dns_answer *out)
{
	const struct ticket *ticket = (const struct ticket *)base;
	struct pw_str name = pw_buf_str(&ticket->name);
	struct pw_dns_answer answer = { .rcode = PW_DNS_NXDOMAIN };
	const struct entry *entry;
	enum pw_status r;
	int aliases = 0;

	(void)deadline_ms;
	while ((entry = pw_map_get(ticket->zone->entries, name)) != NULL &&
	       entry->alias.len > 0 && aliases++ < ALIASES_MAX)
		name = entry->alias;
	if (aliases > ALIASES_MAX)
		answer.rcode = PW_DNS_SERVFAIL;
	else if (entry != NULL && entry->types[ticket->type].is_listed)
		answer.rcode = PW_DNS_OK;
	else if (entry != NULL)
		answer.rcode = entry->rcode;
	if (answer.rcode == PW_DNS_OK) {
		r = copy_records(&answer, arena, entry->types[ticket->type].records,
		                 entry->types[ticket->type].count);
		if (r != PW_OK)
			return r;
	}
	*out = answer;
	return PW_OK;
}

static void zone_drop(struct pw_dns_ticket *base)
{
	struct ticket *ticket = (struct ticket *)base;

	pw_buf_done(&ticket->name);
	free(ticket);
}

static void zone_close(struct pw_resolver *resolver)
{
	struct zone *zone = (struct zone *)resolver;

	pw_map_free(&zone->entries);
	pw_arena_free(&zone->arena);
	free(zone);
}

static const struct pw_resolver_kind zone_kind = {
	.ask = zone_ask,
	.wait = zone_wait,
	.drop = zone_drop,
	.close = zone_close,
};

/* ---- reading ---- */

static struct pw_str json_text(struct json_object *json)
{
	return (struct pw_str){ json_object_get_string(json),
		                (size_t)json_object_get_string_len(json) };
}

static enum pw_status read_text(struct pw_str *out, struct pw_arena *arena,
                                struct json_object *json, bool is_name)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	if (!json_object_is_type(json, json_type_string))
		return PW_ERR_SYNTAX;
	pw_buf_puts(&text,
	            is_name ? without_final_dot(json_text(json)) : json_text(json));
	if (pw_buf_status(&text) != PW_OK)
		return PW_ERR_NOMEM;
	return pw_arena_copy(arena, pw_buf_str(&text), out);
}

static enum pw_status read_address(struct pw_dns_record *out, struct json_object *json,
                                   enum pw_ip_family family)
{
	if (!json_object_is_type(json, json_type_string) ||
	    pw_ip_parse(&out->ip, json_text(json)) != PW_OK || out->ip.family != family)
		return PW_ERR_SYNTAX;
	return PW_OK;
}

static bool read_number(uint16_t *out, struct json_object *list, size_t i)
{
	struct json_object *json = json_object_array_get_idx(list, i);
	int64_t value = json_object_get_int64(json);

	if (!json_object_is_type(json, json_type_int) || value < 0 || value > UINT16_MAX)
		return false;
	*out = (uint16_t)value;
	return true;
}

static bool is_list(struct json_object *json, size_t len)
{
	return json_object_is_type(json, json_type_array) &&
	       json_object_array_length(json) == len;
}

/* [priority, weight, port, "host"] */
static enum pw_status read_srv(struct pw_dns_record *out, struct pw_arena *arena,
                               struct json_object *json)
{
	uint16_t weight;

	if (!is_list(json, 4) || !read_number(&out->preference, json, 0) ||
	    !read_number(&weight, json, 1) || !read_number(&out->port, json, 2))
		return PW_ERR_SYNTAX;
	return read_text(&out->text, arena, json_object_array_get_idx(json, 3), true);
}

/* [preference, "host"] */
static enum pw_status read_mx(struct pw_dns_record *out, struct pw_arena *arena,
                              struct json_object *json)
{
	if (!is_list(json, 2) || !read_number(&out->preference, json, 0))
		return PW_ERR_SYNTAX;
	return read_text(&out->text, arena, json_object_array_get_idx(json, 1), true);
}

static enum pw_status read_record(struct pw_dns_record *out, struct pw_arena *arena,
                                  enum pw_dns_type type, struct json_object *json)
{
	switch (type) {
	case PW_DNS_A:
		return read_address(out, json, PW_IP_V4);
	case PW_DNS_AAAA:
		return read_address(out, json, PW_IP_V6);
	case PW_DNS_MX:
		return read_mx(out, arena, json);
	case PW_DNS_TXT:
		return read_text(&out->text, arena, json, false);
	case PW_DNS_SRV:
		return read_srv(out, arena, json);
	case PW_DNS_PTR:
	case PW_DNS_NS:
		break;
	}
	return read_text(&out->text, arena, json, true);
}

static enum pw_status read_records(struct entry *entry, struct pw_arena *arena,
                                   enum pw_dns_type type, struct json_object *json)
{
	struct pw_dns_record *records;
	size_t listed, kept = 0;
	enum pw_status r;

	if (!json_object_is_type(json, json_type_array))
		return PW_ERR_SYNTAX;
	listed = json_object_array_length(json);
	if (listed > PW_DNS_RECORDS_MAX)
		return PW_ERR_LIMIT;
	if ((records = pw_arena_array(arena, listed, sizeof(*records))) == NULL)
		return PW_ERR_NOMEM;
	for (size_t i = 0; i < listed; i++) {
		r = read_record(&records[kept], arena, type,
		                json_object_array_get_idx(json, i));
		if (r != PW_OK)
			return r;
		if (type != PW_DNS_TXT || records[kept].text.len <= PW_DNS_TXT_MAX)
			kept++;
	}
	entry->types[type].is_listed = true;
	entry->types[type].records = records;
	entry->types[type].count = kept;
	return PW_OK;
}

/* One member of a name: a type and its records, "rcode" or "CNAME". */
static enum pw_status read_member(struct entry *entry, struct pw_arena *arena,
                                  const char *key, struct json_object *json)
{
	PW_AUTO(pw_buf_done) struct pw_buf lower = { 0 };
	enum pw_dns_type type;

	if (strcmp(key, "rcode") == 0)
		return json_object_is_type(json, json_type_string) &&
		                       pw_dns_rcode_parse(&entry->rcode,
		                                          json_text(json)) == PW_OK
		               ? PW_OK
		               : PW_ERR_SYNTAX;
	if (strcmp(key, "CNAME") == 0) {
		if (!json_object_is_type(json, json_type_string))
			return PW_ERR_SYNTAX;
		pw_buf_put_lower(&lower, without_final_dot(json_text(json)));
		if (pw_buf_status(&lower) != PW_OK)
			return PW_ERR_NOMEM;
		return pw_arena_copy(arena, pw_buf_str(&lower), &entry->alias);
	}
	if (pw_dns_type_parse(&type, pw_str_from(key)) != PW_OK)
		return PW_ERR_SYNTAX;
	return read_records(entry, arena, type, json);
}

static enum pw_status read_name(struct zone *zone, const char *name,
                                struct json_object *json, struct pw_buf *why)
{
	PW_AUTO(pw_buf_done) struct pw_buf lower = { 0 };
	struct entry *entry = pw_arena_alloc(zone->arena, sizeof(*entry));
	struct pw_str key;
	enum pw_status r;

	pw_buf_put_lower(&lower, without_final_dot(pw_str_from(name)));
	if (entry == NULL || pw_buf_status(&lower) != PW_OK)
		return PW_ERR_NOMEM;
	if (!json_object_is_type(json, json_type_object)) {
		pw_buf_printf(why, "%s: not an object", name);
		return PW_ERR_SYNTAX;
	}
	json_object_object_foreach(json, member, value)
	{
		if ((r = read_member(entry, zone->arena, member, value)) != PW_OK) {
			pw_buf_printf(why, "%s: %s: %s", name, member, pw_status_text(r));
			return r;
		}
	}
	if ((r = pw_arena_copy(zone->arena, pw_buf_str(&lower), &key)) != PW_OK)
		return r;
	return pw_map_put(zone->entries, key, entry);
}

static enum pw_status read_file(struct pw_buf *out, const char *path, struct pw_buf *why)
{
	enum pw_status r = pw_file_read(out, path, PW_ZONE_BYTES_MAX);

	if (r != PW_OK)
		pw_buf_printf(why, "%s: %s", path, pw_status_text(r));
	return r;
}

static void put_json(struct json_object **json)
{
	json_object_put(*json);
}

static void free_zone(struct zone **zone)
{
	if (*zone != NULL)
		zone_close(&(*zone)->base);
}

static enum pw_status read_zone(struct zone *zone, struct json_object *json,
                                struct pw_buf *why)
{
	enum pw_status r;

	if (!json_object_is_type(json, json_type_object)) {
		pw_buf_puts(why, PW_STR("a zone is an object of names"));
		return PW_ERR_SYNTAX;
	}
	json_object_object_foreach(json, name, value)
	{
		if ((r = read_name(zone, name, value, why)) != PW_OK)
			return r;
	}
	return PW_OK;
}

static void free_tokener(struct json_tokener **tokener)
{
	if (*tokener != NULL)
		json_tokener_free(*tokener);
}

/* All of text as one JSON value. */
static enum pw_status parse_json(struct json_object **out, struct pw_str text,
                                 struct pw_buf *why)
{
	PW_AUTO(free_tokener) struct json_tokener *tokener = json_tokener_new();

	if (tokener == NULL)
		return PW_ERR_NOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	text = pw_str_trim(text); /* strict means: nothing after the value */
	*out = json_tokener_parse_ex(tokener, text.len > 0 ? text.at : "", (int)text.len);
	if (json_tokener_get_error(tokener) == json_tokener_success)
		return PW_OK;
	pw_buf_puts(why, pw_str_from(json_tokener_error_desc(
				 json_tokener_get_error(tokener))));
	return PW_ERR_SYNTAX;
}

enum pw_status pw_zone_open(struct pw_resolver **out, const char *path,
                            struct pw_buf *why)
{
	static const uint8_t seed[16] = "a trusted file"; /* its author wrote all keys */
	PW_AUTO(pw_buf_done) struct pw_buf text = { .max = PW_ZONE_BYTES_MAX };
	PW_AUTO(put_json) struct json_object *json = NULL;
	PW_AUTO(free_zone) struct zone *zone = calloc(1, sizeof(*zone));
	enum pw_status r;

	if (zone == NULL)
		return PW_ERR_NOMEM;
	zone->base.kind = &zone_kind;
	if ((r = read_file(&text, path, why)) != PW_OK ||
	    (r = pw_arena_new(&zone->arena, 4 * PW_ZONE_BYTES_MAX)) != PW_OK ||
	    (r = pw_map_new(&zone->entries, seed, NAMES_MAX)) != PW_OK)
		return r;
	if ((r = parse_json(&json, pw_buf_str(&text), why)) != PW_OK)
		return r;
	if ((r = read_zone(zone, json, why)) != PW_OK)
		return r;
	*out = &PW_TAKE(zone)->base;
	return PW_OK;
}
