"""Every file of a root by path, type, mode and owner, and what of two lists differs."""
import os
import re
import stat

# What the system itself keeps anew all the time, whoever is installed.
ALWAYS = re.compile(r"^/(proc|sys|dev|run|tmp|var/tmp|root|opt/packages|var/(log|cache|lib/(apt|dpkg|systemd))"
                    r"|usr/share/mime|etc/resolv\.conf|etc/hosts|etc/ld\.so\.cache"
                    r"|etc/(passwd|group|shadow|gshadow|subuid|subgid)-?|etc/\.pwd\.lock|etc/\.updated"
                    r"|var/\.updated|var/lib/dbus|var/lib/(ucf|private))(/|$)")


def listing(machine):
    """path -> (type and mode, owner, group), owners as numbers. Of a root that is not booted."""
    found = {}
    top = str(machine.path)
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            path = os.path.join(folder, name)
            shown = path[len(top):]
            if ALWAYS.match(shown):
                continue
            info = os.lstat(path)
            found[shown] = (stat.filemode(info.st_mode), info.st_uid, info.st_gid)
    return found


def differences(before, after):
    """Lines: + came, - went, ~ changed."""
    lines = [f"+ {path} {after[path]}" for path in after.keys() - before.keys()]
    lines += [f"- {path} {before[path]}" for path in before.keys() - after.keys()]
    lines += [f"~ {path} {before[path]} -> {after[path]}" for path in before.keys() & after.keys()
              if before[path] != after[path]]
    return sorted(lines, key=lambda line: line[2:])
