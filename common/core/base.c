#include "core/base.h"

#include <openssl/crypto.h>

void pw_wipe(void *p, size_t len)
{
	if (len > 0)
		OPENSSL_cleanse(p, len);
}
