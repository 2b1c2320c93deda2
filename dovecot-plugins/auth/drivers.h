/* The two drivers of the module. */
#pragma once

extern struct passdb_module_interface passdb_postward;
extern struct userdb_module_interface userdb_postward;
