"""Beds of the auth bench: one PostgreSQL with many users, and postward-policyd; Dovecots with the
stock pgsql driver and with ours on it; Dovecots with stock quota `count` and with ours."""
import json
import os
import subprocess

from dovecot_bed import Dovecot, children, place, remove
from stack.dovecot import MAIL_UID
from stack.postgres import Postgres
from stack.postward import SOURCE, Program

DOMAIN = "example.org"

AUTH = """
auth_verbose = no
auth_cache_size = {cache}
auth_cache_ttl = 1 hour
auth_worker_max_count = 4
mail_location = sdbox:~/mail
"""
STOCK = AUTH + """
passdb {{
  driver = sql
  args = {root}/../stock-sql.conf
}}
userdb {{
  driver = sql
  args = {root}/../stock-sql.conf
}}
"""
OURS = AUTH + """
passdb {{
  driver = postward
  args = {root}/../postward-dovecot.conf
}}
userdb {{
  driver = postward
  args = {root}/../postward-dovecot.conf
}}
"""
# Durability is the same for both and not what is compared.
MAILBOX = """
auth_verbose = no
mail_location = sdbox:~/mail
mail_fsync = never
passdb {{
  driver = static
  args = password=pass
}}
userdb {{
  driver = static
  args = uid=%d gid=%d home={root}/mail/%%u
}}
""" % (MAIL_UID, MAIL_UID)
STOCK_QUOTA = MAILBOX + """
mail_plugins = quota
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:bytes=1G
}}
"""
OUR_QUOTA = MAILBOX + """
mail_plugins = quota quota_postward
plugin {{
  quota = postward:User quota:socket={root}/../run/usage.sock
}}
"""
# What Dovecot's own manual recommends, with the fields our driver gives.
STOCK_SQL = """driver = pgsql
connect = host={socket} dbname=mail user=postgres
default_pass_scheme = SSHA512
password_query = SELECT email AS user, password FROM mail.virtual_users \\
  WHERE email = '%u' AND enabled
user_query = SELECT '/var/vmail/%d/%n' AS home, {uid} AS uid, {uid} AS gid, \\
  '*:bytes=' || quota_mb * 1048576 AS quota_rule FROM mail.virtual_users WHERE email = '%u'
"""


class Database:
    """A throw-away PostgreSQL with our schema, and policyd: `users` accounts with a fast hash
    (user1@..., password pass1), 64 with bcrypt (slow1@..., password slow)."""

    policyd = None

    def __init__(self, users):
        self.dir = place()
        self.postgres = Postgres(self.dir / "pg").create().start()
        self.postgres.sql("CREATE DATABASE mail", database="postgres")
        for migration in sorted((SOURCE / "sql/migrations").glob("*.sql")):
            self.postgres.sql(migration.read_text())
        self.postgres.sql("SELECT mail.add_domain(%s)", DOMAIN)
        self.postgres.sql("UPDATE mail.settings SET value = %s WHERE name IN ('mail_uid', 'mail_gid')",
                          str(MAIL_UID))
        self._add_users(users)
        (self.dir / "stock-sql.conf").write_text(
            STOCK_SQL.format(socket=self.postgres.socket, uid=MAIL_UID))
        (self.dir / "postward-dovecot.conf").write_text(
            f"database = {self.postgres.conninfo('dovecot')}\n"
            f"auth_socket = {self.dir}/run/auth.sock\n")
        self._start_policyd()

    def _start_policyd(self):
        run, conf = self.dir / "run", self.dir / "conf"
        run.mkdir()
        run.chmod(0o777)
        conf.mkdir()
        sockets = {name: run / f"{name}.sock" for name in ("policy", "usage", "auth")}
        self.policyd = Program("postward-policyd", conf, None, {
            "policy_socket": f"unix:{sockets['policy']}", "usage_socket": sockets["usage"],
            "auth_socket": sockets["auth"], "doveadm_socket": "", "lmtp_socket": ""},
            sockets.values(), self.postgres)
        self.policyd.start()
        for socket in sockets.values():
            socket.chmod(0o666)

    def _add_users(self, users):
        self.postgres.sql(
            "INSERT INTO mail.virtual_users (email, password, quota_mb) SELECT 'user' || n || %s, "
            "'{SSHA512}' || translate(encode(sha512(('pass' || n || 'salt')::bytea) || 'salt', "
            "'base64'), E'\\n', ''), 1000 FROM generate_series(1, %s) AS n", "@" + DOMAIN, users)
        bcrypt = subprocess.run(["doveadm", "pw", "-s", "BLF-CRYPT", "-r", "5", "-p", "slow"],
                                check=True, capture_output=True, text=True).stdout.strip()
        self.postgres.sql("INSERT INTO mail.virtual_users (email, password) SELECT "
                          "'slow' || n || %s, %s FROM generate_series(1, 64) AS n",
                          "@" + DOMAIN, bcrypt)
        self.postgres.sql("VACUUM ANALYZE")

    def dovecot(self, name, config, cache="0"):
        return AuthDovecot(self.dir / name, config.replace("{cache}", cache)).start()

    def connections(self, ours):
        """How many connections Dovecot holds."""
        return self.postgres.value(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND "
            + ("application_name = 'postward-dovecot'" if ours else
               "usename = 'postgres' AND pid <> pg_backend_pid()"))

    def close(self):
        if self.policyd:
            self.policyd.stop()
        self.postgres.stop()
        remove(self.dir)


class AuthDovecot(Dovecot):
    """Dovecot whose auth service is asked by the load generator."""

    def load(self, program, mode, *options, timeout=120):
        """One run; what the generator prints."""
        path = self.root / "run" / ("auth-client" if mode == "auth" else "auth-userdb")
        done = subprocess.run([program, mode, path, *map(str, options)], capture_output=True,
                              text=True, check=False, timeout=timeout)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(done.args[1:2])}: {done.stderr}{self.text()[-2000:]}")
        return json.loads(done.stdout)

    def auth_processes(self):
        return sum(c.title.endswith("/auth") for c in children(self.process.pid))
