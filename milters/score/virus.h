/* Is there a virus in a message? clamd is asked over its socket (INSTREAM of clamd(8)):
 * the message is passed on while it comes, the answer is waited for at its end. Whatever
 * goes wrong is silence: counted, and said once until it works again. */
#pragma once

#include <stdatomic.h>

#include "core/arena.h"
#include "core/buf.h"
#include "io/dial.h"

/* So long nobody asks a clamd that did not answer in time. */
#define VIRUS_REST_MS 10000

/* What all messages share. All zero is fine. */
struct virus_news {
	_Atomic int64_t rest_until_ms; /* monotonic */
	atomic_bool is_away;           /* said so */
};

struct virus_config {
	const struct pw_dial *clamd; /* len 0: nobody looks */
	int64_t patience_ms;         /* all waits for clamd of one message together */
	int64_t size_max_bytes;      /* what is behind is not looked at */
	struct virus_news *news;
};

/* One message. */
struct virus_scan {
	struct virus_config config;
	struct pw_buf chunk; /* length in front, filled in when it is sent */
	int fd;              /* -1 = not yet connected */
	int64_t taken_bytes, waited_ms;
	enum pw_status status; /* first failure */
	const char *why;       /* of it */
	bool is_on;            /* somebody looks at this message */
	bool is_heard;         /* clamd answered before the end, and listens no more */
};

/* Begin with a message. */
void virus_begin(struct virus_scan *scan, const struct virus_config *config);
/* In the order of the message; value raw. Waits for clamd where it reads slowly. */
void virus_header(struct virus_scan *scan, struct pw_str name, struct pw_str value);
void virus_body(struct virus_scan *scan, struct pw_str bytes);
/* That was all: from here on clamd looks, while others do their work. */
void virus_sent(struct virus_scan *scan);
/* Wait for the answer. True: there is one, name_out (in the arena) says which; fit for
 * find_virus of struct pw_judge_tools. */
bool virus_find(void *scan, struct pw_arena *arena, struct pw_str *name_out);
/* Ends it at any point. */
void virus_done(struct virus_scan *scan);
