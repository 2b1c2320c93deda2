/* What Dovecot's module loader looks for in lib90_learn_postward_plugin.so. */
#include "lib.h"

#include "core/base.h"

#include "hooks.h"

extern const char *learn_postward_plugin_version;
void learn_postward_plugin_init(struct module *module);
void learn_postward_plugin_deinit(void);

PW_EXPORT const char *learn_postward_plugin_version = DOVECOT_ABI_VERSION;

PW_EXPORT void learn_postward_plugin_init(struct module *module)
{
	hooks_register(module);
}

PW_EXPORT void learn_postward_plugin_deinit(void)
{
	hooks_unregister();
}
