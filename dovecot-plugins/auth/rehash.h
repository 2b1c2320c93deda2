/* Passwords are kept in the scheme the administrator prefers (mail.settings,
 * password_scheme): one in another scheme is hashed anew when its owner logs in.
 *
 * Making a hash takes as long as comparing with it, and is done in this process: one at a
 * time, and for at most a tenth of the time. Who does not get a turn gets one at another
 * login. */
#pragma once

struct auth_request;
struct credential;
struct database;

/* Learn the setting, if a minute has passed since. Call it before a lookup: the answer
 * then comes before that of the lookup. */
void rehash_refresh(struct database *database);
/* The client's password matched the row: hash it anew if it should be. */
void rehash_offer(struct database *database, const struct auth_request *request,
                  const struct credential *row);
/* The driver goes: forgets what waits. */
void rehash_deinit(void);
