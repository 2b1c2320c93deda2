/* Hashes and refusals come from tables of others; logins from strangers. */
#include <stdlib.h>
#include <string.h>

#include "auth/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str text = { (const char *)data, size };
	char *copy = malloc(size + 1);
	struct credential row = { 0 };
	const char *reason;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	copy[size] = '\0';
	row.refusal = copy;
	/* whatever a refusal says, it is one */
	if (credential_judge(&row, &reason) == CREDENTIAL_GOOD)
		abort();
	/* no mailbox is named with a byte SQL cannot take */
	if (login_is_possible(text) && (memchr(data, 0, size) || size > 320))
		abort();
	/* in this process only what says that it is cheap */
	if (hash_cost(text) == HASH_FAST && (size == 0 || data[0] != '{'))
		abort();
	row.hash = copy;
	(void)credentials_order(&row, 1);
	free(copy);
	return 0;
}
