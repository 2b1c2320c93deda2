/* smfi_setsymlist(3), smfi_getsymval(3) */
#include <stdlib.h>
#include <string.h>

#include "kit/wire/macros.h"

void kit_macros_take(SMFICTX *ctx, enum wire_stage stage, struct pw_str pairs)
{
	pw_buf_reset(&ctx->macros[stage]);
	if (pairs.len > 0 && pairs.at[pairs.len - 1] == '\0')
		pw_buf_puts(&ctx->macros[stage], pairs);
}

void kit_macros_forget_after(SMFICTX *ctx, enum wire_stage stage)
{
	for (size_t i = (size_t)stage + 1; i < WIRE_STAGES; i++)
		pw_buf_reset(&ctx->macros[i]);
}

/* "i" and "{i}" are one name. */
static struct pw_str bare(struct pw_str name)
{
	if (name.len >= 2 && name.at[0] == '{' && name.at[name.len - 1] == '}')
		return pw_str_sub(name, 1, name.len - 2);
	return name;
}

static char *find(const struct pw_buf *pairs, struct pw_str wanted)
{
	for (size_t at = 0; at < pairs->len;) {
		struct pw_str name = pw_str_from(pairs->at + at);
		size_t value = at + name.len + 1;

		if (value >= pairs->len)
			return NULL;
		if (pw_str_eq(bare(name), wanted))
			return pairs->at + value;
		at = value + strlen(pairs->at + value) + 1;
	}
	return NULL;
}

char *smfi_getsymval(SMFICTX *ctx, char *name)
{
	struct pw_str wanted = bare(pw_str_from(name));
	char *value = NULL;

	for (size_t i = WIRE_STAGES; i-- > 0 && !value;)
		value = find(&ctx->macros[i], wanted);
	return value;
}

int smfi_setsymlist(SMFICTX *ctx, int stage, char *names)
{
	if (stage < SMFIM_FIRST || stage > SMFIM_LAST || ctx->lists[stage])
		return MI_FAILURE;
	return (ctx->lists[stage] = strdup(names)) ? MI_SUCCESS : MI_FAILURE;
}
