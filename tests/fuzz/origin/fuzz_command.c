/* A line of commands never makes more than one line towards the inner server, and what is
 * sent there is read back as it was: nobody's parser finds another address in it.
 * XFORWARD keeps its limits, and a command that is refused changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "origin/engine/envelope.h"
#include "origin/queue/command.h"
#include "origin/queue/xforward.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef enum envelope_verdict (*envelope_put)(struct pw_buf *out, char *const *argv,
                                              const struct upstream_offers *offers);

static void check_envelope(const struct command *command, envelope_put put)
{
	static const struct upstream_offers all = { ~0u, 0 };
	static struct command again;
	PW_AUTO(pw_buf_done) struct pw_buf line = { 0 }, twice = { 0 };
	struct pw_str text;

	if (put(&line, command->argv, &all) != ENVELOPE_OK)
		return; /* a tab in it */
	text = pw_buf_str(&line);
	if (text.len < 2 || pw_str_find(text, '\n') != text.len - 1 ||
	    pw_str_find(text, '\r') != text.len - 2)
		abort();
	if (command_parse(&again, pw_str_sub(text, 0, text.len - 2)) == PW_ERR_LIMIT)
		return; /* brackets made it too long */
	if (again.verb != command->verb || put(&twice, again.argv, &all) != ENVELOPE_OK ||
	    !pw_str_eq(pw_buf_str(&twice), text))
		abort();
}

static void check_xforward(struct pw_str attributes)
{
	struct xforward x = { 0 }, before;
	struct pw_origin origin;

	memcpy(x.helo.text, "old", x.helo.len = 3);
	memcpy(&before, &x, sizeof(x));
	if (xforward_take(&x, attributes) != PW_OK) {
		if (memcmp(&before, &x, sizeof(x)) != 0)
			abort();
		return;
	}
	xforward_origin(&x, &origin);
	if (origin.helo.len > XFORWARD_VALUE_MAX ||
	    origin.name.len > XFORWARD_VALUE_MAX ||
	    (origin.name_state == PW_NAME_KNOWN) != (origin.name.len > 0) ||
	    strlen(x.ident.text) != x.ident.len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct command command;
	struct pw_str line = { (const char *)data, size };

	if (command_parse(&command, line) != PW_OK)
		return 0;
	if (command.verb == COMMAND_MAIL)
		check_envelope(&command, envelope_mail);
	else if (command.verb == COMMAND_RCPT)
		check_envelope(&command, envelope_rcpt);
	else if (command.verb == COMMAND_XFORWARD)
		check_xforward(command.rest);
	return 0;
}
