#include "score/jail.h"

#include <errno.h>
#include <limits.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What memory, reading, writing and ending take; abort() among it. */
static const int allowed[] = {
	SCMP_SYS(read),         SCMP_SYS(write),           SCMP_SYS(brk),
	SCMP_SYS(munmap),       SCMP_SYS(mremap),          SCMP_SYS(madvise),
	SCMP_SYS(futex),        SCMP_SYS(clock_gettime),   SCMP_SYS(gettimeofday),
	SCMP_SYS(getrandom),    SCMP_SYS(rt_sigreturn),    SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction), SCMP_SYS(sigaltstack),     SCMP_SYS(getpid),
	SCMP_SYS(gettid),       SCMP_SYS(restart_syscall), SCMP_SYS(sched_yield),
	SCMP_SYS(exit),         SCMP_SYS(exit_group),
};

static enum pw_status close_others(int keep_fd)
{
	unsigned keep = (unsigned)keep_fd;

	if ((keep > 0 && close_range(0, keep - 1, 0) != 0) ||
	    close_range(keep + 1, UINT_MAX, 0) != 0)
		return PW_ERR_IO;
	return PW_OK;
}

/* A second wall, where there is one: seccomp alone refuses each of these calls. */
static enum pw_status refuse_files(void)
{
	const struct landlock_ruleset_attr attributes = {
		.handled_access_fs =
			LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
			LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
			LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
			LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
			LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
			LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
			LANDLOCK_ACCESS_FS_MAKE_SYM,
	};
	int rules = (int)syscall(SYS_landlock_create_ruleset, &attributes,
	                         sizeof(attributes), 0);
	long r;

	if (rules < 0) /* not built in, switched off, or forbidden by who started us */
		return PW_OK;
	r = syscall(SYS_landlock_restrict_self, rules, 0);
	close(rules);
	return r == 0 ? PW_OK : PW_ERR_IO;
}

static int add_rules(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; i < PW_LEN(allowed) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
		                     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
		                     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0) /* abort(3): itself, and nobody else */
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
		                     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	return r;
}

static enum pw_status filter_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (filter == NULL)
		return PW_ERR_IO;
	r = add_rules(filter);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	if (r != 0)
		errno = -r;
	return r == 0 ? PW_OK : PW_ERR_IO;
}

enum pw_status jail_enter(int keep_fd)
{
	enum pw_status r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return PW_ERR_IO;
	if ((r = close_others(keep_fd)) != PW_OK || (r = refuse_files()) != PW_OK)
		return r;
	return filter_calls();
}
