/* What Dovecot's auth process looks for in libauthdb_postward.so, which it loads when a
 * passdb or userdb names the driver `postward`. */
#include "auth-common.h"

#include "passdb.h"
#include "userdb.h"

#include "core/base.h"

#include "drivers.h"
#include "report.h"

extern const char *authdb_postward_version;
void authdb_postward_init(void);
void authdb_postward_deinit(void);

PW_EXPORT const char *authdb_postward_version = DOVECOT_ABI_VERSION;

PW_EXPORT void authdb_postward_init(void)
{
	passdb_register_module(&passdb_postward);
	userdb_register_module(&userdb_postward);
}

PW_EXPORT void authdb_postward_deinit(void)
{
	report_deinit();
	passdb_unregister_module(&passdb_postward);
	userdb_unregister_module(&userdb_postward);
}
