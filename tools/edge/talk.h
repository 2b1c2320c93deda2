/* An SMTP client for questions: it says a command, hears the reply, and never sends a
 * message. */
#pragma once

#include <sys/socket.h>

#include "core/buf.h"
#include "core/ip.h"

struct talk {
	int fd;
	int64_t deadline_ms; /* monotonic */
	char in[2048];
	size_t len; /* heard and not yet read */
};

/* Codes besides those of SMTP. */
enum { TALK_LOST = -1, TALK_SILENT = -2 };

/* Connect; nothing is heard yet.
 *
 * errno_out  why not
 *
 * Returns false when there is no connection */
bool talk_open(struct talk *t, struct pw_ip ip, unsigned int port, int64_t deadline_ms,
               int *errno_out);
void talk_close(struct talk *t);
/* Bytes as they are. Returns false when the other side is gone. */
bool talk_send(struct talk *t, struct pw_str bytes);
/* Until there is something to hear. Returns false when the deadline comes before. */
bool talk_wait(const struct talk *t);
/* Read a reply of any number of lines; its texts go to out, a line each, without codes.
 *
 * Returns its code, or TALK_LOST, TALK_SILENT */
int talk_hear(struct talk *t, struct pw_buf *out);
/* Send a command line and hear the reply: code, texts in reply. */
int talk_say(struct talk *t, struct pw_buf *reply, const char *format, ...)
	PW_PRINTF(3, 4);
/* What follows a word in the lines of an EHLO reply: "12345" of SIZE 12345. at is NULL
 * where the word is not there. Pure. */
struct pw_str talk_keyword(struct pw_str lines, const char *word);
