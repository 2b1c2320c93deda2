#include "tools/password.h"

#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "core/base.h"

#define SCHEME "{SHA512-CRYPT}"
#define GROUP 5
#define LETTERS 19

_Static_assert(TOOL_HASH_MAX >= sizeof(SCHEME) + CRYPT_OUTPUT_SIZE, "holds any hash");
_Static_assert(TOOL_PASSWORD_MADE > LETTERS + LETTERS / GROUP, "holds hyphens too");

bool tool_password_hash(char *out, const char *password, unsigned long rounds)
{
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *work = calloc(1, sizeof(*work));
	const char *made = NULL;
	bool is_made;

	if (work != NULL && crypt_gensalt_rn("$6$", rounds, NULL, 0, salt, sizeof(salt)))
		made = crypt_r(password, salt, work);
	is_made = made != NULL && made[0] == '$';
	if (is_made)
		(void)snprintf(out, TOOL_HASH_MAX, SCHEME "%s", made);
	if (work != NULL)
		pw_wipe(work, sizeof(*work));
	free(work);
	return is_made;
}

bool tool_password_make(char *out)
{
	static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
	unsigned char random[LETTERS];

	_Static_assert(sizeof(letters) == 33, "five bits a letter");
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return false;
	for (size_t i = 0; i < LETTERS; i++) {
		if (i > 0 && i % GROUP == 0)
			*out++ = '-';
		*out++ = letters[random[i] % 32];
	}
	*out = '\0';
	pw_wipe(random, sizeof(random));
	return true;
}
