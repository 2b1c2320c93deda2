"""What a healthy machine shows, besides that mail goes through it."""
import re

WORST_EXPOSURE = 1.5  # of `systemd-analyze security`, for each unit of ours


def units(machine):
    """Our service units that are installed."""
    text = machine.run("systemctl list-unit-files --no-legend --no-pager 'postward-*.service'")
    return [line.split()[0] for line in text.splitlines()]


def exposure(machine):
    """unit -> exposure, as systemd in there sees it."""
    found = {}
    for unit in units(machine):
        text = machine.try_run(f"systemd-analyze security --no-pager {unit}").stdout
        found[unit] = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", text)[1])
    return found


def failed_units(machine):
    return machine.run("systemctl --failed --plain --no-legend --no-pager").splitlines()


def denials(machine):
    """Lines of the journal about system calls that were not let through, or processes that died."""
    words = re.compile(r"status=31/SYS|SECCOMP|seccomp|dumped core|killed by signal|code=killed"
                       r"|Watchdog timeout", re.I)
    return [l for l in machine.lines() if words.search(l)]


def ours_failing(machine):
    """Errors of our programs that no test brought about: what they may not do."""
    words = re.compile(r" postward\S*\[\d+\]: .*(Operation not permitted|Permission denied)")
    return [l for l in machine.lines() if words.search(l)]


def deny_loudly(machine):
    """From the next start on a system call outside of a unit's filter ends the program, instead of
    failing in silence."""
    for unit in units(machine):
        machine.write(f"/etc/systemd/system/{unit}.d/loud.conf",
                      "[Service]\nSystemCallErrorNumber=kill\n")
