"""A DNS server that knows the test zone and nothing else: unbound with local data only."""
from .proc import Process, wait_until

SOA = "{zone} 60 SOA ns.test. admin.test. 1 3600 600 86400 5"


def reverse(address):
    import ipaddress
    return ipaddress.ip_address(address).reverse_pointer + "."


class Dns:
    def __init__(self, root, ns, address):
        self.root, self.ns, self.address = root, ns, address
        self.root.mkdir()
        self.conf = root / "unbound.conf"
        self.process = Process("dns", ["unbound", "-d", "-c", self.conf], root / "dns.log", ns)

    def start(self, records):
        data = "\n".join(f"  local-data: '{r}'" for r in [SOA.format(zone="."), *records])
        self.conf.write_text(f"""server:
  verbosity: 1
  interface: {self.address}
  access-control: 0.0.0.0/0 allow
  access-control: ::0/0 allow
  username: ""
  chroot: ""
  directory: "{self.root}"
  pidfile: "{self.root}/pid"
  use-syslog: no
  logfile: ""
  do-daemonize: no
  module-config: "iterator"
  num-threads: 1
  local-zone: "." static
{data}
remote-control:
  control-enable: yes
  control-use-cert: no
  control-interface: {self.root}/control
""")
        self.process.start()
        wait_until(lambda: (self.root / "control").exists(), what="DNS server")
        return self

    def _control(self, *args):
        return self.ns.run("unbound-control", "-c", self.conf, *args)

    def add(self, *records):
        for record in records:
            self._control("local_data", record)

    def remove(self, name):
        self._control("local_data_remove", name)

    def stop(self):
        self.process.stop()


def txt(name, value):
    """A TXT record of any length, cut into strings of 255 octets."""
    parts = " ".join(f'"{value[i:i + 255]}"' for i in range(0, len(value), 255))
    return f"{name} 60 TXT {parts}"
