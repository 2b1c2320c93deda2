/* What Dovecot's configuration looks for in settings/libpostward_settings.so: the names
 * of our settings. Without it `postward_config = ...` is an unknown setting. */
#include "lib.h"

#include "core/base.h"

#include "dovecot-plugins/compat.h"

extern const char *postward_settings_version;
extern const struct setting_parser_info *postward_settings_set_infos[];

PW_EXPORT const char *postward_settings_version = DOVECOT_ABI_VERSION;
PW_EXPORT const struct setting_parser_info *postward_settings_set_infos[] = {
	&postward_setting_parser_info,
	NULL,
};
