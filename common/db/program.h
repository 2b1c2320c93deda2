/* What every daemon with a database does alike: settings to config, events to the log. */
#pragma once

#include "db/config.h"
#include "io/settings.h"

/* common's texts are borrowed; events go to pw_db_log_event. */
struct pw_db_config pw_db_config_from(const struct pw_settings_common *common,
                                      const char *program);
/* One line: database=snapshot_loaded, generation=17. arg is not used. */
void pw_db_log_event(void *arg, const struct pw_db_event *event);
