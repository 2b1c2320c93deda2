"""The small Internet of the tests: addresses, and what its name server says."""
from . import dns as zone

EDGE, EDGE6, EDGE_LINK, INNER_LINK = "198.51.100.25", "2001:db8::25", "10.9.0.1", "10.9.0.2"
NAMESERVER, SENDER, SENDER6 = "198.51.100.53", "198.51.100.7", "2001:db8::7"
THIEF, SINK = "198.51.100.8", "198.51.100.9"
SENDER_SELECTOR = "s1"


def records():
    """The test zone; keys are added when they are made."""
    names = {"mx.example.test.": EDGE, "mail.sender.test.": SENDER, "sink.elsewhere.test.": SINK,
             "thief.test.": THIEF}
    out = [f"{name} 60 A {address}" for name, address in names.items()]
    out += [f"{zone.reverse(address)} 60 PTR {name}" for name, address in names.items()]
    out += [f"mx.example.test. 60 AAAA {EDGE6}", f"mail.sender.test. 60 AAAA {SENDER6}",
            f"{zone.reverse(SENDER6)} 60 PTR mail.sender.test.",
            "example.test. 60 MX 10 mx.example.test.", "sender.test. 60 MX 10 mail.sender.test.",
            "elsewhere.test. 60 MX 10 sink.elsewhere.test.",
            f"sender.test. 60 A {SENDER}", "bank.test. 60 A 198.51.100.99",
            zone.txt("example.test.", f"v=spf1 ip4:{EDGE} ip6:{EDGE6} -all"),
            zone.txt("sender.test.", f"v=spf1 ip4:{SENDER} ip6:{SENDER6} -all"),
            zone.txt("_dmarc.sender.test.", "v=DMARC1; p=reject"),
            zone.txt("bank.test.", "v=spf1 -all"),
            zone.txt("_dmarc.bank.test.", "v=DMARC1; p=reject")]
    return out
