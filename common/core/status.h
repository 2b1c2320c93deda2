/* Errors: we could not work. What a message or a record is worth is a verdict and has an
 * enum of its own. */
#pragma once

enum pw_status {
	PW_OK = 0,
	PW_ERR_NOMEM = -1,    /* out of memory */
	PW_ERR_LIMIT = -2,    /* input exceeds a named maximum */
	PW_ERR_SYNTAX = -3,   /* input is not well formed */
	PW_ERR_RANGE = -4,    /* a value is outside its range */
	PW_ERR_NOTFOUND = -5, /* the thing named does not exist */
	PW_ERR_TIMEOUT = -6,  /* a deadline passed */
	PW_ERR_AWAY = -7,     /* peer (database, resolver, server) cannot be reached */
	PW_ERR_IO = -8,       /* a system call failed; errno says why */
	PW_ERR_DENIED = -9,   /* peer refused: rights, authentication */
	PW_ERR_PROTOCOL = -10, /* peer answered what its protocol does not allow */
	PW_ERR_CONFIG = -11,  /* settings cannot be used; the text says which */
	PW_ERR_STATE = -12,   /* call not allowed now (our own bug) */
	PW_ERR_CRYPTO = -13,  /* libcrypto or libopendkim failed */
};

/* Static text for a status, for logs; never NULL. */
const char *pw_status_text(enum pw_status status);
