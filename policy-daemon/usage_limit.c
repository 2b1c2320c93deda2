#include "policyd/usage_limit.h"

#define MIB (INT64_C(1) << 20)

void usage_room_of(struct usage_room *out, struct usage *usage,
                   const struct catalog *catalog, const struct catalog_entry *mailbox)
{
	const struct usage_entry *told = usage_find(usage, mailbox->address);
	const struct catalog_quota_domain *domain = mailbox->quota_domain;

	*out = (struct usage_room){
		.quota_bytes = mailbox->quota_bytes,
		.used_bytes = told != NULL ? told->count.bytes : mailbox->used_bytes,
		.quota_messages = mailbox->quota_messages,
		.used_messages =
			told != NULL ? told->count.messages : mailbox->used_messages,
		.domain_quota_bytes = domain != NULL ? domain->quota_bytes : 0,
		.domain_used_bytes =
			domain != NULL ? usage_domain_bytes(usage, domain) : 0,
		.grace_percent = catalog_quotas(catalog)->grace_percent,
	};
}

static int64_t percent_of(int64_t bytes, int64_t percent)
{
	return bytes / 100 * percent + bytes % 100 * percent / 100;
}

static int64_t add(int64_t a, int64_t b)
{
	return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* Full is full; what is not may be overrun by grace. */
static bool has_no_room(int64_t quota, int64_t used, int64_t size, int64_t grace)
{
	return quota > 0 && (used >= quota || size > add(quota - used, grace));
}

bool usage_is_full(const struct usage_room *room, int64_t size_bytes)
{
	int64_t size = size_bytes > 0 ? size_bytes : 1;
	int64_t grace = percent_of(room->quota_bytes, room->grace_percent);

	return has_no_room(room->quota_bytes, room->used_bytes, size, grace) ||
	       has_no_room(room->quota_messages, room->used_messages, 1, 0) ||
	       has_no_room(room->domain_quota_bytes, room->domain_used_bytes, size, 0);
}

struct usage_limits usage_limits_of(const struct usage_room *room)
{
	struct usage_limits limits = {
		.bytes = room->quota_bytes,
		.messages = room->quota_messages,
		.grace_bytes = percent_of(room->quota_bytes, room->grace_percent),
	};
	int64_t others, left;

	if (room->domain_quota_bytes == 0)
		return limits;
	others = room->domain_used_bytes > room->used_bytes
	                 ? room->domain_used_bytes - room->used_bytes
	                 : 0;
	left = (room->domain_quota_bytes - others) / MIB * MIB;
	if (left <= 0)
		left = 1;
	if (limits.bytes == 0 || left < limits.bytes) {
		limits.bytes = left;
		limits.grace_bytes = 0;
	}
	return limits;
}

int64_t usage_percent(const struct usage_room *room)
{
	int64_t used = room->used_bytes, quota = room->quota_bytes;

	if (quota == 0)
		return 0;
	if (used >= quota)
		return 100;
	return used > INT64_MAX / 100 ? used / (quota / 100) : used * 100 / quota;
}

const struct catalog_warning *usage_warning(const struct catalog_quotas *quotas,
                                            int64_t percent, int64_t *warned_percent)
{
	const struct catalog_warning *reached = NULL;
	int64_t before = *warned_percent;

	for (const struct catalog_warning *w = quotas->warnings; w != NULL; w = w->next)
		if (w->percent <= percent &&
		    (reached == NULL || w->percent > reached->percent))
			reached = w;
	*warned_percent = reached != NULL ? reached->percent : 0;
	return *warned_percent > before ? reached : NULL;
}
