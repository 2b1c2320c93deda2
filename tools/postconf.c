#include "tools/postconf.h"

#include <string.h>

#include "io/child.h"

/* ---- reading ---- */

void postconf_done(struct postconf *conf)
{
	pw_buf_done(&conf->main);
	pw_buf_done(&conf->overrides);
	pw_buf_done(&conf->master);
	conf->count = 0;
}

static enum pw_status ask(struct pw_buf *out, const char *flags, int64_t timeout_ms,
                          struct pw_buf *why)
{
	const char *const argv[] = { "postconf", flags, NULL };
	PW_AUTO(pw_buf_done) struct pw_buf err = { 0 };
	int code = 0;
	enum pw_status r =
		pw_child_run(argv, (struct pw_str){ 0 }, out, &err, timeout_ms, &code);

	if (r == PW_OK && code != 0) {
		pw_buf_puts(why, pw_str_trim(pw_buf_str(&err)));
		return PW_ERR_CONFIG;
	}
	if (r != PW_OK)
		pw_buf_printf(why, "postconf: %s", pw_status_text(r));
	return r == PW_OK ? pw_buf_status(out) : r;
}

enum pw_status postconf_read(struct postconf *out, int64_t timeout_ms, struct pw_buf *why)
{
	enum pw_status r;

	if ((r = ask(&out->main, "-x", timeout_ms, why)) != PW_OK ||
	    (r = ask(&out->overrides, "-Px", timeout_ms, why)) != PW_OK ||
	    (r = ask(&out->master, "-M", timeout_ms, why)) != PW_OK)
		return r;
	postconf_parse(out);
	return PW_OK;
}

static bool next_word(struct pw_str *rest, struct pw_str *out)
{
	*rest = pw_str_trim_wsp(*rest);
	if (rest->len == 0)
		return false;
	*out = pw_str_cut(rest, ' ');
	return true;
}

/* name type private unpriv chroot wakeup maxproc program arguments */
static bool parse_service(struct postconf_service *out, struct pw_str line)
{
	struct pw_str words[8];

	for (size_t i = 0; i < PW_LEN(words); i++)
		if (!next_word(&line, &words[i]))
			return false;
	*out = (struct postconf_service){ .name = words[0],
		                          .type = words[1],
		                          .is_chrooted = pw_str_eq(words[4], PW_STR("y")),
		                          .program = words[7] };
	return true;
}

void postconf_parse(struct postconf *out)
{
	struct pw_str rest = pw_buf_str(&out->master);

	out->count = 0;
	while (rest.len > 0 && out->count < POSTCONF_SERVICES_MAX)
		if (parse_service(&out->services[out->count], pw_str_cut(&rest, '\n')))
			out->count++;
}

/* ---- asking ---- */

/* The value of the line "name = value"; at == NULL without one. */
static struct pw_str find(const struct pw_buf *text, struct pw_str name)
{
	struct pw_str rest = pw_buf_str(text);

	while (rest.len > 0) {
		struct pw_str value = pw_str_cut(&rest, '\n');

		if (pw_str_eq(pw_str_trim_wsp(pw_str_cut(&value, '=')), name) &&
		    value.at != NULL)
			return pw_str_trim_wsp(value);
	}
	return (struct pw_str){ 0 };
}

static struct pw_str own_value(const struct postconf *conf,
                               const struct postconf_service *service, const char *name)
{
	PW_AUTO(pw_buf_done) struct pw_buf key = { 0 };

	if (service == NULL)
		return (struct pw_str){ 0 };
	pw_buf_printf(&key, "%.*s/%.*s/%s", PW_FMT(service->name), PW_FMT(service->type),
	              name);
	return find(&conf->overrides, pw_buf_str(&key));
}

struct pw_str postconf_value(const struct postconf *conf,
                             const struct postconf_service *service, const char *name)
{
	struct pw_str value = own_value(conf, service, name);

	return value.at != NULL ? value : find(&conf->main, pw_str_from(name));
}

bool postconf_is_own(const struct postconf *conf, const struct postconf_service *service,
                     const char *name)
{
	return own_value(conf, service, name).at != NULL;
}

bool postconf_is(const struct postconf *conf, const struct postconf_service *service,
                 const char *name, const char *value)
{
	return pw_str_eq_nocase(postconf_value(conf, service, name), pw_str_from(value));
}

unsigned int postconf_port_number(struct pw_str name)
{
	static const struct {
		const char *name;
		unsigned int port;
	} known[] = {
		{ "smtp", 25 },   { "submission", 587 }, { "submissions", 465 },
		{ "smtps", 465 }, { "urd", 465 },        { "ssmtp", 465 },
	};
	int64_t number;

	for (size_t i = 0; i < PW_LEN(known); i++)
		if (pw_str_eq(name, pw_str_from(known[i].name)))
			return known[i].port;
	return pw_str_to_int64(name, 1, 65535, &number) == PW_OK ? (unsigned int)number
	                                                         : 0;
}

unsigned int postconf_port(const struct postconf_service *service)
{
	struct pw_str name = service->name;
	size_t colon = pw_str_rfind(name, ':');

	if (!pw_str_eq(service->type, PW_STR("inet")))
		return 0;
	return postconf_port_number(
		colon < name.len ? pw_str_sub(name, colon + 1, name.len) : name);
}

struct pw_str postconf_address(const struct postconf_service *service)
{
	size_t colon = pw_str_rfind(service->name, ':');
	struct pw_str address = pw_str_sub(service->name, 0, colon);

	if (colon == service->name.len)
		return (struct pw_str){ 0 };
	if (address.len >= 2 && address.at[0] == '[' &&
	    address.at[address.len - 1] == ']')
		address = pw_str_sub(address, 1, address.len - 2);
	return address;
}

bool postconf_is_smtpd(const struct postconf_service *service)
{
	return pw_str_eq(service->program, PW_STR("smtpd")) &&
	       (pw_str_eq(service->type, PW_STR("inet")) ||
	        pw_str_eq(service->type, PW_STR("pass")));
}

bool postconf_is_public(const struct postconf_service *service)
{
	return postconf_is_smtpd(service) &&
	       (postconf_port(service) == 25 || pw_str_eq(service->type, PW_STR("pass")));
}

bool postconf_is_submission(const struct postconf_service *service)
{
	unsigned int port = postconf_port(service);

	if (port > POSTCONF_THROUGH_EDGE)
		port -= POSTCONF_THROUGH_EDGE;
	return postconf_is_smtpd(service) && (port == 587 || port == 465);
}

static bool has_blank(struct pw_str value)
{
	return pw_str_find(value, ' ') < value.len ||
	       pw_str_find(value, '\t') < value.len;
}

/* "submission_recipient_restrictions" for smtpd_recipient_restrictions of port 587. */
static void put_own_name(struct pw_buf *out, const struct postconf_service *service,
                         const char *name)
{
	static const char prefix[] = "smtpd_";
	unsigned int port = postconf_port(service);

	if (port == 587)
		pw_buf_puts(out, PW_STR("submission_"));
	else if (port == 465)
		pw_buf_puts(out, PW_STR("submissions_"));
	else
		pw_buf_printf(out, "port%u_", port);
	pw_buf_puts(out, pw_str_from(strncmp(name, prefix, sizeof(prefix) - 1) == 0
	                                     ? name + sizeof(prefix) - 1
	                                     : name));
}

/* A value with blanks cannot stand in master.cf: it gets a name in main.cf. */
static void put_service_command(struct pw_buf *out,
                                const struct postconf_service *service, const char *name,
                                struct pw_str value)
{
	PW_AUTO(pw_buf_done) struct pw_buf own = { 0 }, reference = { 0 };

	if (has_blank(value)) {
		put_own_name(&own, service, name);
		pw_buf_printf(out, "postconf -e '%s = %.*s' && ", pw_buf_text(&own),
		              PW_FMT(value));
		pw_buf_printf(&reference, "$%s", pw_buf_text(&own));
		value = pw_buf_str(&reference);
	}
	pw_buf_printf(out, "postconf -P '%.*s/%.*s/%s=%.*s'", PW_FMT(service->name),
	              PW_FMT(service->type), name, PW_FMT(value));
}

void postconf_put_command(struct pw_buf *out, const struct postconf *conf,
                          const struct postconf_service *service, const char *name,
                          struct pw_str value)
{
	if (postconf_is_own(conf, service, name) ||
	    (service != NULL && postconf_is_submission(service)))
		put_service_command(out, service, name, value);
	else
		pw_buf_printf(out, "postconf -e '%s = %.*s'", name, PW_FMT(value));
	pw_buf_puts(out, PW_STR(" && postfix reload"));
}

/* ---- lists ---- */

static bool is_gap(char c)
{
	return c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool postconf_next_item(struct pw_str *rest, struct pw_str *out)
{
	size_t start = 0, end, depth = 0;

	while (start < rest->len && is_gap(rest->at[start]))
		start++;
	for (end = start; end < rest->len && (depth > 0 || !is_gap(rest->at[end]));
	     end++) {
		depth += rest->at[end] == '{';
		depth -= rest->at[end] == '}' && depth > 0;
	}
	*out = pw_str_sub(*rest, start, end - start);
	*rest = pw_str_sub(*rest, end, rest->len);
	return out->len > 0;
}

void postconf_endpoint(struct postconf_endpoint *out, struct pw_str item)
{
	static const struct pw_str key = { "default_action=", 15 };
	struct pw_str word;

	*out = (struct postconf_endpoint){ .address = item };
	if (item.len < 2 || item.at[0] != '{')
		return;
	item = pw_str_sub(item, 1, item.len - 2);
	if (!postconf_next_item(&item, &out->address))
		return;
	while (postconf_next_item(&item, &word))
		if (pw_str_starts_nocase(word, key))
			out->default_action = pw_str_sub(word, key.len, word.len);
}

bool postconf_is_socket(const struct postconf_endpoint *endpoint, const char *name)
{
	struct pw_str address = endpoint->address;
	size_t slash = pw_str_rfind(address, '/');

	if (!pw_str_starts(address, PW_STR("unix:")) &&
	    !pw_str_starts(address, PW_STR("local:")))
		return false;
	if (slash == address.len)
		slash = pw_str_rfind(address, ':');
	return pw_str_eq(pw_str_sub(address, slash + 1, address.len), pw_str_from(name));
}
