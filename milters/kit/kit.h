/* A milter daemon, without the protocol's odd corners: binding, signals, drain,
 * negotiation and the life of a session are decided here, once, for every milter.
 *
 * Life of a session as a daemon sees it:
 *     open, connect, helo, { mail, rcpt..., data, header..., eoh, body..., eom; reset
 * }..., close Any message may end early: reset comes all the same, exactly once, whether
 * by end of message, abort, or a MAIL that follows a refused one. Callbacks of one
 * session never run at the same time, but may run in different threads. */
#pragma once

#include <libmilter/mfapi.h>

#include "core/ip.h"
#include "core/str.h"

/* The stages at which a callback exists; also the places to ask for macros. */
enum kit_stage {
	KIT_CONNECT,
	KIT_HELO,
	KIT_MAIL,
	KIT_RCPT,
	KIT_DATA,
	KIT_HEADER,
	KIT_EOH,
	KIT_BODY,
	KIT_EOM,
	KIT_STAGES
};
#define KIT_BIT(stage) (1u << (stage))

#define KIT_QUEUE_ID_MAX 64
/* FileDescriptorName= of a milter's socket unit. */
#define KIT_FD_NAME "milter"

/* What a callback gets. The daemon reads it; only kit writes it, `own` excepted. */
struct kit_session {
	SMFICTX *ctx;
	const struct kit_daemon *daemon;
	void *own;                       /* the daemon's state of this session */
	char queue_id[KIT_QUEUE_ID_MAX]; /* "" until Postfix has chosen one: see kit_id */
	struct pw_ip client;             /* unmapped; family PW_IP_NONE for local mail */
	uint16_t client_port;
	unsigned no_reply;  /* negotiated: KIT_BIT of stages Postfix does not wait in */
	bool leading_space; /* negotiated: header values keep what follows the colon */
	bool in_message;    /* something for reset to do */
	bool is_unheard;    /* for close: Postfix was gone when it was to be told the last
	                       verdict of eom */
};

/* Callbacks; NULL = not wanted, and Postfix is told not to send it. They return
 * SMFIS_CONTINUE, or a verdict if the stage is in `verdicts` of struct kit_daemon. argv
 * as in smfi_envfrom. */
struct kit_calls {
	enum pw_status (*open)(
		struct kit_session *s); /* make s->own; failure = 451 for the session */
	sfsistat (*connect)(struct kit_session *s,
	                    const char *name); /* name or "[address]" */
	sfsistat (*helo)(struct kit_session *s, const char *name);
	sfsistat (*mail)(struct kit_session *s, char **argv);
	sfsistat (*rcpt)(struct kit_session *s, char **argv);
	sfsistat (*data)(struct kit_session *s);
	/* value: all bytes between the colon and the last line end, leading blank and
	 * folds
	 * ("\n\t") included; see pw_canon_header_simple */
	sfsistat (*header)(struct kit_session *s, struct pw_str name,
	                   struct pw_str value);
	sfsistat (*eoh)(struct kit_session *s);
	sfsistat (*body)(struct kit_session *s, struct pw_str chunk); /* CRLF line ends */
	sfsistat (*eom)(struct kit_session *s);
	void (*reset)(struct kit_session *s); /* the message is over, however it ended */
	void (*close)(
		struct kit_session *s); /* free s->own; called even after a failed open */
};

struct kit_daemon {
	const char *program; /* "postward-dkim" */
	struct kit_calls calls;
	unsigned verdicts; /* KIT_BIT of the stages that may answer something else than
	                      continue; EOM always may */
	unsigned long actions;          /* SMFIF_*: what eom may change */
	const char *macros[KIT_STAGES]; /* "i {auth_authen}" by stage; NULL = Postfix's
	                                   own choice */
	const char *socket; /* unix:/path, inet:HOST:PORT (HOST may be [v6]), fd:NAME;
	                       not looked at where systemd passes KIT_FD_NAME */
	int64_t drain_ms;   /* SIGTERM: longest wait for running sessions */
	void *user;         /* the daemon's own, e.g. its settings */
	enum pw_status (*reload)(
		void *user); /* SIGHUP; runs in the main thread; NULL = nothing */
	/* What the daemon serves besides milters' sessions; both may be NULL. stop:
	 * the drain begins, take no more; others: how many the drain still waits for */
	void (*stop)(void *user);
	int64_t (*others)(void *user);
	void (*report)(
		void *user); /* SIGUSR1 and every 60 s: write counters; may be NULL */
};

/* Bind, tell systemd, serve until SIGTERM or SIGINT, drain. To be called from main,
 * before any other thread exists or with all signals blocked in those
 * (kit_signals_block).
 *
 * Returns PW_OK when every session has ended: the caller may release everything. If
 * sessions still run at the drain deadline the process ends here (exit code 0; Postfix
 * answers 451). Errors  PW_ERR_CONFIG, PW_ERR_IO, PW_ERR_DENIED (another instance
 * answers): already logged */
PW_MUST_CHECK enum pw_status kit_run(const struct kit_daemon *daemon);
/* Block what kit_run handles; call first in main, so that threads made before kit_run
 * (database, snapshot) inherit it. */
void kit_signals_block(void);
/* Sessions open now. */
int64_t kit_sessions(void);

/* Value of a macro ("i", "{auth_authen}"), or NULL. Borrowed until the callback returns.
 */
const char *kit_macro(const struct kit_session *s, const char *name);
/* Queue id for the log: NULL until known (the logger writes NOQUEUE). */
const char *kit_id(const struct kit_session *s);
