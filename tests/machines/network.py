"""A network of machines: a namespace with a bridge, where also those outside and the name server
live. Nothing leads out of it."""
from stack.netns import Namespace, run


class Network:
    """addresses: of the namespace itself, with prefix lengths."""

    def __init__(self, name, nameserver, addresses):
        self.ns, self.nameserver = Namespace(name), nameserver
        self._addresses = addresses

    def create(self):
        self.ns.create(self.nameserver, "")
        self.ns.ip("link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        self.ns.address("br0", *self._addresses)
        self.ns.ip("link", "set", "br0", "up")
        return self

    def join(self, ns, port, *addresses, device="host0"):
        """A cable from the bridge to another namespace. port: its name on the bridge."""
        run("ip", "link", "add", "name", port, "netns", self.ns.name, "type", "veth",
            "peer", "name", device, "netns", ns.name)
        self.ns.ip("link", "set", port, "master", "br0", "up")
        ns.address(device, *addresses)
        ns.ip("link", "set", device, "up")

    def remove(self):
        self.ns.remove()
