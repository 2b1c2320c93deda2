/* Log lines that could come with every message, at most once a minute for each reason. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define ALARM_PAUSE_MS 60000
#define ALARM_REASONS 24

struct alarm_row {
	const char *why;
	int64_t last_ms, silent;
};

struct alarms {
	pthread_mutex_t lock;
	struct alarm_row rows[ALARM_REASONS];
};

void alarms_init(struct alarms *alarms);
void alarms_done(struct alarms *alarms);
/* Is a line for that reason due? why: a literal, one of at most ALARM_REASONS.
 *
 * silent_out  if true: how many have been left out since the last line */
bool alarms_due(struct alarms *alarms, const char *why, int64_t now_ms,
                int64_t *silent_out);
