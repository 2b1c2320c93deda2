"""Several policyds on one PostgreSQL, as several hosts have them; and a streaming standby."""
import os
import shutil
import signal
import threading
import time

from policy_bed import Bed, Client
from stack.postgres import Postgres, binaries
from stack.postward import Program
from stack.proc import wait_until

ANN = "ann@example.test"


class Node:
    """One more policyd: its own settings, state and socket."""

    def __init__(self, bed, number, **settings):
        self.bed, self.name = bed, f"node{number}"
        self.conf = bed.root / self.name
        self.conf.mkdir()
        self.policy = bed.run / f"{self.name}.sock"
        self.program = Program("postward-policyd", self.conf, None,
                               {"policy_socket": f"unix:{self.policy}", "usage_socket": "",
                                "auth_socket": "", **settings}, [self.policy], bed.pg)
        self.program.start()

    def client(self, **options):
        return Client(self.policy, **options)

    def settle(self):
        """Wait until it has loaded what SQL holds now."""
        generation = self.bed.pg.value("SELECT mail.generation()")
        wait_until(lambda: any(int(line.rpartition("generation=")[2].split(",")[0]) >= generation
                               for line in self.program.lines("database=snapshot_loaded")),
                   60, f"{self.name}: generation {generation}")

    def crash(self):
        self.program.process.kill(signal.SIGKILL)
        wait_until(lambda: not self.program.is_running(), 20, "the end")
        self.policy.unlink()

    def start(self):
        self.program.stop()
        self.program.start()


class NodesBed(Bed):
    """PostgreSQL with the schema; policyds as a test asks for. Its own policyd is not started."""

    def __init__(self, count=2, **settings):
        self.nodes = []
        super().__init__()
        self.program.stop()
        self.pg.sql("DELETE FROM mail.nodes")
        for _ in range(count):
            self.add(**settings)

    def add(self, **settings):
        self.nodes.append(Node(self, len(self.nodes), **settings))
        return self.nodes[-1]

    def know_each_other(self):
        """All nodes are counted; each hears it with its next sign of life."""
        self.wait(lambda: self.pg.value("SELECT mail.nodes_alive()") == len(self.nodes), what="all nodes")
        time.sleep(2.2)

    def settle(self):
        for node in self.nodes:
            if node.program.is_running():
                node.settle()

    def free(self, who=ANN):
        """Tokens left in the shared counter."""
        return self.pg.value("SELECT free FROM mail.rate_usage WHERE who = %s", who)

    def used(self, who=ANN):
        return self.pg.value("SELECT used FROM mail.rate_usage WHERE who = %s", who) or 0

    def close(self):
        for node in self.nodes:
            node.program.stop()
        super().close()


class Load:
    """So many connections to a node, each asking one message after another; the node they ask
    changes from time to time where there are several."""

    def __init__(self, nodes, connections, pause_s=0.0, login=ANN, move_s=None):
        self.nodes, self.login, self.pause_s, self.move_s = nodes, login, pause_s, move_s
        self.answers = []  # (began, took, answer)
        self.end = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(connections)]
        self.began = time.monotonic()
        for thread in self.threads:
            thread.start()

    def _node(self, number):
        if self.move_s is None:
            return self.nodes[number % len(self.nodes)]
        return self.nodes[int((time.monotonic() - self.began) / self.move_s) % len(self.nodes)]

    def _run(self, number):
        clients, n = {}, 0
        while not self.end.is_set():
            node = self._node(number)
            client = clients.get(node.name)
            if client is None:
                client = clients[node.name] = node.client()
            n += 1
            began = time.monotonic()
            answer = client.message(f"{id(self)}.{number}.{n}", sender=self.login,
                                    sasl_username=self.login)
            self.answers.append((began, time.monotonic() - began, answer))
            if self.pause_s:
                time.sleep(self.pause_s)
        for client in clients.values():
            client.close()

    def admitted(self):
        return sum(answer == "DUNNO" for _, _, answer in self.answers)

    def slowest_s(self):
        return max(took for _, took, _ in self.answers)

    def stop(self):
        self.end.set()
        for thread in self.threads:
            thread.join()
        return self

    def run_for(self, seconds):
        time.sleep(seconds)
        return self.stop()


def processes(pg):
    """All of a PostgreSQL, the postmaster first."""
    pid = pg.process.pid
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return [pid, *map(int, children.read().split())]


class Frozen:
    """PostgreSQL stopped by SIGSTOP for a while: connections stay, nothing answers."""

    def __init__(self, pg):
        self.pids = processes(pg)

    def __enter__(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)
        return self

    def __exit__(self, *_):
        for pid in self.pids:
            os.kill(pid, signal.SIGCONT)


class Standby:
    """A streaming copy of the bed's PostgreSQL, which may be promoted."""

    def __init__(self, primary, root):
        self.primary, self.pg = primary, Postgres(root)
        root.mkdir()
        self.pg.socket.mkdir()
        for folder in (root, self.pg.socket):
            shutil.chown(folder, "postgres", "postgres")
            folder.chmod(0o755)
        Postgres._as_postgres(binaries() / "pg_basebackup", "-h", primary.socket, "-U", "postgres",
                              "-D", self.pg.data, "-R", "-X", "stream", "-c", "fast")
        with open(self.pg.data / "postgresql.auto.conf", "a", encoding="utf8") as conf:
            conf.write(f"unix_socket_directories = '{self.pg.socket}'\n")
        self.pg.start()

    def wait_streaming(self, synchronous=False):
        """With synchronous, a commit waits for the standby from now on."""
        if synchronous:
            self.primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'", database="postgres")
            self.primary.sql("SELECT pg_reload_conf()", database="postgres")
        state = "sync" if synchronous else "async"
        wait_until(lambda: self.primary.value("SELECT sync_state FROM pg_stat_replication",
                                              database="postgres") in (state, "quorum" if synchronous else state),
                   30, "the standby")

    def promote(self):
        self.pg.sql("SELECT pg_promote(wait => true)", database="postgres")

    def conninfo(self):
        return (f"host={self.primary.socket},{self.pg.socket} user=postward_policy dbname=mail"
                " target_session_attrs=read-write")
