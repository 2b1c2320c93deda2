#include "mail/psl.h"

#include <libpsl.h>
#include <stdlib.h>
#include <string.h>

#include "core/ascii.h"

struct pw_psl {
	psl_ctx_t *ctx;
};

enum pw_status pw_psl_new(struct pw_psl **out)
{
	struct pw_psl *psl = calloc(1, sizeof(*psl));

	if (psl == NULL)
		return PW_ERR_NOMEM;
	if ((psl->ctx = psl_latest(NULL)) == NULL) {
		free(psl);
		return PW_ERR_NOTFOUND;
	}
	*out = psl;
	return PW_OK;
}

void pw_psl_free(struct pw_psl **psl)
{
	if (*psl == NULL)
		return;
	psl_free((*psl)->ctx);
	free(*psl);
	*psl = NULL;
}

struct pw_str pw_psl_org(const struct pw_psl *psl, struct pw_str domain, char buffer[256])
{
	const char *org;

	if (domain.len == 0 || domain.len > 255 ||
	    memchr(domain.at, '\0', domain.len) != NULL)
		return domain;
	for (size_t i = 0; i < domain.len; i++)
		buffer[i] = pw_lower(domain.at[i]);
	buffer[domain.len] = '\0';
	org = psl_registrable_domain(psl->ctx, buffer);
	return org != NULL ? pw_str_from(org) : (struct pw_str){ buffer, domain.len };
}
