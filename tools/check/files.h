/* Pure judgements over files and folders. */
#pragma once

#include "tools/check/check.h"
#include "tools/queue.h"

/* A filter of fail2ban that reads the journal of a unit that has no log lines: Debian
 * 12's Postfix logs as postfix@-.service, and its filter looks for postfix.service.
 *
 * filter  text of filter.d/postfix.conf; local: of postfix.local, empty = none
 * unit    text of postfix.service, which runs nothing by itself where Postfix is an
 *         instance */
void judge_filter(struct check_report *report, struct pw_str filter, struct pw_str local,
                  struct pw_str unit);
/* What a program wrote about its snapshot.
 *
 * metrics   text of its metrics.prom
 * file_age_s  since that was written */
void judge_snapshot(struct check_report *report, const char *program,
                    struct pw_str metrics, int64_t file_age_s);
/* How full a file system is, in bytes and in files. */
void judge_space(struct check_report *report, const char *folder, int64_t free_bytes,
                 int64_t free_percent, int64_t free_files_percent);
void judge_queue(struct check_report *report, const struct queue_count queues[QUEUES]);
/* On an edge: what its inner host refused after it had been queued. */
void judge_held(struct check_report *report, const struct queue_count queues[QUEUES]);
