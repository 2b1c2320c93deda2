"""Dovecot's configuration in the words of the installed version.

Tests and the stack write what they want in the words of 2.3, of which they use few; for 2.4 the
same is said in its own. What this file does not know stays as it is: most settings are called the
same, and Dovecot refuses to start with a name it does not know."""
import functools
import re

from .netns import run


@functools.lru_cache(maxsize=None)
def version():
    """(2, 3) or (2, 4)."""
    return tuple(int(n) for n in run("dovecot", "--version").split(".")[:2])


def is_2_4():
    return version() >= (2, 4)


def say(text):
    """A whole configuration for the installed Dovecot."""
    if not is_2_4():
        return text
    return "\n".join([f"dovecot_config_version = {CONFIG_VERSION}",
                      f"dovecot_storage_version = {CONFIG_VERSION}",
                      *ALIKE,
                      *write(translate(read(iter(text.splitlines())))), ""])


CONFIG_VERSION = "2.4.0"
# What 2.4 does otherwise unless told; see docs/dovecot.md.
ALIKE = ["auth_internal_failure_delay = 0", "auth_allow_weak_schemes = yes"]

# Variables of 2.3, %% for those that Dovecot expands later; L makes lower case.
VARIABLES = {"u": "user", "n": "user | username", "d": "user | domain", "s": "protocol",
             "r": "remote_ip", "h": "home"}
# Settings that only changed their name or became the opposite.
RENAMED = {
    "disable_plaintext_auth": ("auth_allow_cleartext", {"yes": "no", "no": "yes"}),
    "ssl_cert": ("ssl_server_cert_file", None),
    "ssl_key": ("ssl_server_key_file", None),
}
# Keys of plugin { } that are settings of their own now.
PLUGIN_RENAMED = {"quota_grace": "quota_storage_grace", "quota_max_mail_size": "quota_mail_size",
                  "acl": "acl_driver"}
PLUGIN_GONE = {"quota_vsizes"}  # what it switched is always on
RULES = {"messages": "quota_message_count", "storage": "quota_storage_size",
         "bytes": "quota_storage_size"}
LOCATION = {"INDEX": "mail_index_path", "CONTROL": "mail_control_path", "ALT": "mail_alt_path",
            "VOLATILEDIR": "mail_volatile_path", "INDEXPVT": "mail_index_private_path"}


# A configuration is a list of (key, value); of a block, (words before the brace, list).

def read(lines):
    found = []
    for line in (l.strip() for l in lines):
        if line == "}":
            break
        if line.endswith("{"):
            found.append((line[:-1].strip(), read(lines)))
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.append((key.strip(), value.strip()))
    return found


def write(settings, indent=""):
    for key, value in settings:
        if isinstance(value, list):
            yield f"{indent}{key} {{"
            yield from write(value, indent + "  ")
            yield indent + "}"
        else:
            yield f"{indent}{key} = {value}"


def variables(value):
    """%u is said %{user}; what is %%u, for Dovecot to expand later, too."""
    def one(match):
        filters = " | lower" if match[1] else ""
        return f"%{{{VARIABLES[match[2]]}{filters}}}"
    return re.sub(r"%%?(L?)([undsrh])", one, value)


def translate(settings):
    found, seen = [], set()
    for key, value in settings:
        kind, _, name = key.partition(" ")
        if isinstance(value, list):
            found += BLOCKS.get(kind, plain_block)(kind, name, value)
        elif key == "mail_plugins":
            found += plugins(value)
        else:
            found += setting(key, value)
    # what several blocks say alike is said once
    return [x for x in found if isinstance(x[1], list) or not (x in seen or seen.add(x))]


def plain_block(kind, name, inner):
    return [(f"{kind} {name}".strip(), translate(inner))]


def setting(key, value):
    if key in ("mail_location", "location"):
        return location(value)
    name, values = RENAMED.get(key, (key, None))
    return [(name, variables(values[value] if values else value.lstrip("<")))]


def location(value):
    """sdbox:~/mail:INDEX=/fast"""
    driver, path, *options = value.split(":")
    return [("mail_driver", variables(driver)), ("mail_path", variables(path)),
            *((LOCATION[o.split("=")[0]], variables(o.split("=")[1])) for o in options)]


def listener(kind, name, inner):
    return plain_block(kind, name, [({"address": "listen"}.get(k, k), v) for k, v in inner])


def namespace(kind, name, inner):
    """What is %%u of the owner of a shared mailbox has names of its own."""
    if ("type", "shared") in inner:
        inner = [(k, v.replace("%%u", "$user").replace("%%h", "%{owner_home}")) for k, v in inner]
    return plain_block(kind, name, inner)


def plugins(value):
    """$mail_plugins is what holds outside of the block anyway."""
    return [("mail_plugins", [(p, "yes") for p in value.split() if p != "$mail_plugins"])]


def database(kind, name, inner):
    """passdb { } and userdb { }: the driver's args became settings."""
    words = dict(inner)
    driver, args = words.pop("driver"), words.pop("args", "")
    rest = [(k, variables(v)) for k, v in words.items()]
    if driver == "postward":
        master = args.startswith("master:")
        return [(f"{kind} {name or 'postward' + '-master' * master}", [
            ("driver", driver), ("postward_config", args.removeprefix("master:")), *rest])]
    if driver == "static":
        return [(f"{kind} static", [*rest, *static(kind, args)])]
    if driver == "passwd-file":
        return [(f"{kind} passwd-file", [("passwd_file_path", args.split()[-1]), *rest])]
    raise ValueError(f"{kind} with driver {driver}")


def static(kind, args):
    fields = dict(word.partition("=")[::2] for word in args.split())
    if "quota_rule" in fields:
        fields["postward_quota_rule"] = fields.pop("quota_rule")
    password = fields.pop("password", None)
    found = [("password", password)] if password else []
    if fields:
        found.append(("fields", [(k, variables(v)) for k, v in fields.items()]))
    return found


def plugin(_kind, _name, inner):
    """There is no plugin { }: its settings are ordinary ones, quotas and scripts are blocks."""
    found = []
    for key, value in inner:
        if re.fullmatch(r"quota\d?", key):
            found += quota(value)
        elif key == "quota_rule":
            found += [(RULES[k], v) for k, v in (limit.split("=") for limit in value.split(":")[1:])]
        elif key.startswith("sieve_before"):  # 2.4 takes them in the order they are written
            found.append((f"sieve_script {key.removeprefix('sieve_')}",
                          [("type", "before"), ("path", value)]))
        elif key == "sieve":
            path, _, active = value.removeprefix("file:").partition(";active=")
            found.append(("sieve_script personal", [("path", path), ("active_path", active)]))
        elif key not in PLUGIN_GONE:
            found.append((PLUGIN_RENAMED.get(key, key), variables(value)))
    return found


def quota(value):
    """postward:User quota:socket=/path; the socket is one for all quotas."""
    driver, _, rest = value.partition(":")
    name, *options = rest.split(":")
    found = [(f'quota "{name}"', [("driver", driver)])]
    for option in options:
        key, _, word = option.partition("=")
        found.append(({"socket": "postward_usage_socket"}[key], word))
    return found


BLOCKS = {"passdb": database, "userdb": database, "plugin": plugin, "namespace": namespace,
          "inet_listener": listener}
