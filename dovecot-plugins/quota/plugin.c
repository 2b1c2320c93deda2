/* What Dovecot's module loader looks for in lib15_quota_postward_plugin.so. */
#include "lib.h"

#include "core/base.h"

#include "backend.h"

extern const char *quota_postward_plugin_version;
extern const char *quota_postward_plugin_dependencies[];
void quota_postward_plugin_init(struct module *module);
void quota_postward_plugin_deinit(void);

PW_EXPORT const char *quota_postward_plugin_version = DOVECOT_ABI_VERSION;
PW_EXPORT const char *quota_postward_plugin_dependencies[] = { "quota", NULL };

PW_EXPORT void quota_postward_plugin_init(struct module *module)
{
	backend_register(module);
}

PW_EXPORT void quota_postward_plugin_deinit(void)
{
	backend_unregister();
}
