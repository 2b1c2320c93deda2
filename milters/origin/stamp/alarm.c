#include "origin/stamp/alarm.h"

#include <string.h>

void alarms_init(struct alarms *alarms)
{
	memset(alarms, 0, sizeof(*alarms));
	pthread_mutex_init(&alarms->lock, NULL);
}

void alarms_done(struct alarms *alarms)
{
	pthread_mutex_destroy(&alarms->lock);
}

static struct alarm_row *find(struct alarms *alarms, const char *why)
{
	size_t i = 0;

	while (i < ALARM_REASONS - 1 && alarms->rows[i].why &&
	       strcmp(alarms->rows[i].why, why) != 0)
		i++;
	return &alarms->rows[i];
}

bool alarms_due(struct alarms *alarms, const char *why, int64_t now_ms,
                int64_t *silent_out)
{
	struct alarm_row *row;
	bool is_due;

	pthread_mutex_lock(&alarms->lock);
	row = find(alarms, why);
	is_due = !row->why || now_ms - row->last_ms >= ALARM_PAUSE_MS;
	if (is_due) {
		*silent_out = row->silent;
		*row = (struct alarm_row){ .why = why, .last_ms = now_ms };
	} else {
		row->silent++;
	}
	pthread_mutex_unlock(&alarms->lock);
	return is_due;
}
