/* Any text: links found lie in it, one behind the other, and are not longer than they may
 * be. Printing, parsing and printing again gives the same; a host is ASCII and fits. */
#include <stdlib.h>

#include "core/punycode.h"
#include "core/url.h"
#include "core/url_known.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void print_twice(struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf once = { 0 }, twice = { 0 };
	const struct pw_mailbox ann = { PW_STR("ann"), PW_STR("example.org") };
	struct pw_str target;
	struct pw_url_host host, again;
	struct pw_url url;

	if (!pw_url_parse(&url, text))
		return;
	pw_url_host_read(&host, &url);
	must(host.len <= PW_URL_HOST_MAX && pw_domain_is_ascii(pw_url_host_str(&host)));
	if (pw_url_is_redirect(&url, pw_url_host_str(&host), &target) && target.len > 0)
		must(target.at >= url.text.at &&
		     target.at + target.len <= url.text.at + url.text.len);
	(void)pw_url_has_address(&url, &ann);
	pw_url_put(&once, &url);
	if (host.len == 0 || host.len == PW_URL_HOST_MAX || once.len > PW_URL_MAX)
		return; /* cut, or nothing was visible */
	must(pw_url_parse(&url, pw_buf_str(&once)));
	pw_url_host_read(&again, &url);
	must(pw_str_eq(pw_url_host_str(&host), pw_url_host_str(&again)));
	must(host.ip.family == again.ip.family);
	pw_url_put(&twice, &url);
	must(pw_str_eq(pw_buf_str(&once), pw_buf_str(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str text = { (const char *)data, size }, url;
	const char *end = text.at;
	size_t pos = 0;
	bool is_bare;

	print_twice(text);
	while (pw_url_next(text, &pos, &url, &is_bare)) {
		must(url.len > 0 && url.len <= PW_URL_MAX + PW_URL_HOST_MAX);
		must(url.at >= end && url.at + url.len <= text.at + text.len);
		end = url.at + url.len;
		print_twice(url);
	}
	must(pos == size);
	return 0;
}
