/* The tokens of a message (core/tokens.h), and what it is known again by when its user
 * calls it something else. */
#pragma once

#include "core/ip.h"
#include "core/tokens.h"
#include "mail/message.h"

#define PW_TOKEN_HOPS_MAX 6   /* Received fields read */
#define PW_TOKEN_LINKS_MAX 50 /* links read */
#define PW_MESSAGE_DIGEST_BYTES 32

/* Take a whole message apart, header and body with CRLF.
 *
 * Errors  PW_ERR_NOMEM
 * Owner   caller, pw_message_done, before the arena is reset */
PW_MUST_CHECK enum pw_status pw_message_read(struct pw_message **out,
                                             struct pw_arena *arena, struct pw_str text);

/* The same without pw_message_end: who reads what strangers wrote does that. */
PW_MUST_CHECK enum pw_status pw_message_feed(struct pw_message **out,
                                             struct pw_arena *arena, struct pw_str text);

/* What the header tells first, then subject and visible text. Nothing that says what a
 * filter or a person thought of the message becomes a token: no X-Spam-*, no
 * Authentication-Results, no list's name.
 *
 * m       after pw_message_end
 * client  who brings it, where that stands in no Received yet; else family NONE */
void pw_message_tokens(struct pw_tokens *out, const struct pw_message *m,
                       struct pw_ip client);

/* SHA-256 of Message-ID, Date, From, Subject and body: what filters, servers and mail
 * programs add on its way through mailboxes does not change it.
 *
 * Errors  PW_ERR_CRYPTO */
PW_MUST_CHECK enum pw_status pw_message_digest(uint8_t out[PW_MESSAGE_DIGEST_BYTES],
                                               const struct pw_message *m);
