/* The envelope of a message in LMTP, kept until the inner server is asked, and what is to
 * be said of each recipient after the message. */
#pragma once

#include "core/arena.h"
#include "origin/engine/smtp_reply.h"

#define RECIPIENTS_ONCE 100 /* lmtp_destination_recipient_limit is 50 */

/* What is to be said of a recipient; code 0 = accepted: what is said of the message. */
struct recipient_answer {
	int code;
	char enhanced[12];
	struct pw_str text; /* lines parted by LF */
};

struct recipient_list {
	struct pw_arena *arena;        /* of all texts */
	char **mail;                   /* as upstream_mail wants it */
	char **argvs[RECIPIENTS_ONCE]; /* as upstream_rcpts wants them */
	struct recipient_answer answers[RECIPIENTS_ONCE];
	size_t count, accepted;
};

/* Errors  PW_ERR_NOMEM. Owner  caller, recipient_list_free */
PW_MUST_CHECK enum pw_status recipient_list_new(struct recipient_list **out);
void recipient_list_free(struct recipient_list **list);
/* A new message: argv as command_parse has it, copied.
 *
 * Errors  PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status recipient_list_begin(struct recipient_list *list,
                                                  char *const *argv);
/* Errors  PW_ERR_LIMIT: no room for one more */
PW_MUST_CHECK enum pw_status recipient_list_add(struct recipient_list *list,
                                                char *const *argv);
/* Keep the inner server's refusal of one; long ones are cut. */
void recipient_list_refuse(struct recipient_list *list, size_t index,
                           const struct smtp_reply *reply);
/* Say something of our own of one: text is borrowed for ever. */
void recipient_list_say(struct recipient_list *list, size_t index, int code,
                        const char *enhanced, const char *text);
/* Append the replies in the order of the recipients; of_message for the accepted ones. */
void recipient_list_put(const struct recipient_list *list, struct pw_buf *out,
                        struct pw_str of_message);
