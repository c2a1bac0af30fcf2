# SPDX-License-Identifier: BSD-3-Clause
"""ICMP by the RFCs: what is answered with which message, and what is answered with none.

One row per rule: the section, the frame, the drop that is counted, the ICMP type, code and pointer
that come back, or None. test_bad_headers.py has the rules that only drop.
"""
import pytest
from frames import BROADCAST, icmp_of
from lab import wait_for
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from test_bad_headers import with_options

pytestmark = pytest.mark.inet4

GW, GW_B, HOST, FAR = "10.1.0.1", "10.2.0.1", "10.1.0.2", "10.2.0.2"


def udp(s, dst=FAR, **fields):
    return s.ip(dst, **fields) / UDP(sport=1000, dport=9) / b"payload"


def about(kind, code=0):
    """An ICMP error about a packet of ours, with a TTL that ends here."""
    def build(s):
        return s.ip(FAR, ttl=1) / ICMP(type=kind, code=code) / IP(src=FAR, dst=HOST) / UDP()
    return build


RULES = [
    # RFC 792 and RFC 1812: each error where it belongs.
    ("RFC 1812 5.3.1, TTL 1", lambda s: udp(s, ttl=1), "Ip4TtlExpired", (11, 0, 0)),
    ("RFC 1812 5.3.1, TTL 0", lambda s: udp(s, ttl=0), "Ip4TtlExpired", (11, 0, 0)),
    ("RFC 1122 3.3.2, TTL 1 for us is taken", lambda s: s.ip(GW, ttl=1) / TCP(dport=9),
     "Ip4NoProtocol", (3, 2, 0)),
    ("RFC 1812 5.2.7.1, no route", lambda s: udp(s, "172.20.0.1"), "Ip4NoRoute", (3, 0, 0)),
    ("RFC 1812 5.2.7.1, prohibited", lambda s: udp(s, "10.67.1.1"), "Ip4Prohibited", (3, 13, 0)),
    ("RFC 1812 4.2.2.7, too big with DF",
     lambda s: s.ip(FAR, flags="DF") / UDP(dport=9) / bytes(1390), "Ip4TooBig", (3, 4, 0)),
    ("RFC 1122 3.2.2.1, unknown protocol", lambda s: s.ip(GW, proto=253) / b"x",
     "Ip4NoProtocol", (3, 2, 0)),
    ("RFC 1122 4.1.3.1, closed port", lambda s: udp(s, GW), "UdpNoPort", (3, 3, 0)),
    ("RFC 1122 4.1.3.1, closed port of our other address", lambda s: udp(s, GW_B), "UdpNoPort",
     (3, 3, 0)),
    ("RFC 1812 4.3.3.5, option past the header", lambda s: with_options(s, b"\x07\x27\x04"),
     "Ip4BadOption", (12, 0, 21)),
    ("RFC 1812 4.3.3.5, option of length 1", lambda s: with_options(s, b"\x07\x01"),
     "Ip4BadOption", (12, 0, 21)),
    ("RFC 791 3.1, record route whose pointer is 3",
     lambda s: with_options(s, b"\x07\x07\x03\0\0\0\0"), "Ip4BadOption", (12, 0, 22)),
    ("RFC 791 3.1, record route with half an address",
     lambda s: with_options(s, b"\x07\x06\x04\0\0\0"), "Ip4BadOption", (12, 0, 22)),
    ("RFC 791 3.1, timestamp with flag 2",
     lambda s: with_options(s, b"\x44\x08\x05\x02\0\0\0\0"), "Ip4BadOption", (12, 0, 23)),
    ("RFC 791 3.1, timestamp that counts no further",
     lambda s: with_options(s, b"\x44\x08\x09\xf0\0\0\0\0"), "Ip4BadOption", (12, 0, 23)),
    # RFC 1122 3.2.2 and RFC 1812 4.3.2.7: about these nothing is said.
    ("RFC 1122 3.2.2, about unreachable", about(3), "Ip4TtlExpired", None),
    ("RFC 1122 3.2.2, about source quench", about(4), "Ip4TtlExpired", None),
    ("RFC 1122 3.2.2, about a redirect", about(5), "Ip4TtlExpired", None),
    ("RFC 1122 3.2.2, about time exceeded", about(11), "Ip4TtlExpired", None),
    ("RFC 1122 3.2.2, about a parameter problem", about(12), "Ip4TtlExpired", None),
    ("RFC 1122 3.2.2, but about an echo request", about(8), "Ip4TtlExpired", (11, 0, 0)),
    ("RFC 1122 3.2.2, and about an echo reply", about(0), "Ip4TtlExpired", (11, 0, 0)),
    ("RFC 1122 3.2.2, ICMP too short to tell", lambda s: s.ip(FAR, ttl=1, proto=1) / Raw(b"abc"),
     "Ip4TtlExpired", None),
    ("RFC 1122 3.2.2, broadcast", lambda s: s.ether(dst=BROADCAST)
     / IP(src=HOST, dst="255.255.255.255") / UDP(dport=9), "UdpNoPort", None),
    ("RFC 1122 3.2.2, broadcast to the subnet", lambda s: s.ether(dst=BROADCAST)
     / IP(src=HOST, dst="10.1.0.255") / UDP(dport=9), "UdpNoPort", None),
    ("RFC 1122 3.2.2, unknown protocol in a broadcast", lambda s: s.ether(dst=BROADCAST)
     / IP(src=HOST, dst="255.255.255.255", proto=253) / Raw(b"x"), "Ip4NoProtocol", None),
    ("RFC 1122 3.2.2, link-layer broadcast", lambda s: s.ether(dst=BROADCAST)
     / IP(src=HOST, dst=GW) / UDP(dport=9), "Ip4LinkBroadcast", None),
    ("RFC 1122 3.2.2, group", lambda s: s.ether(dst="01:00:5e:00:00:05")
     / IP(src=HOST, dst="224.0.0.5") / UDP(dport=9), "Ip4Multicast", None),
    ("RFC 1122 3.2.2, from no single host", lambda s: udp(s, GW, src="0.0.0.0"), "Ip4BadSource",
     None),
    ("RFC 1122 3.2.2, from a group", lambda s: udp(s, GW, src="224.0.0.9"), "Ip4BadSource", None),
    ("RFC 1122 3.2.2, from loopback", lambda s: udp(s, GW, src="127.0.0.1"), "Ip4BadSource", None),
    ("RFC 1812 5.3.7, to loopback", lambda s: udp(s, "127.0.0.1"), "Ip4Martian", None),
    ("RFC 1812 5.3.7, to class E", lambda s: udp(s, "240.0.0.1"), "Ip4Martian", None),
    ("RFC 1812 5.3.7, to net 0", lambda s: udp(s, "0.0.0.1"), "Ip4Martian", None),
    ("RFC 2644, directed broadcast", lambda s: udp(s, "10.2.0.255"), "Ip4DirectedBroadcast", None),
    ("RFC 7126 4.3, source route", lambda s: with_options(s, b"\x83\x07\x04\x0a\x02\x00\x02"),
     "Ip4SourceRoute", None),
    ("RFC 1122 3.2.2.6, echo to all", lambda s: s.ether(dst=BROADCAST)
     / IP(src=HOST, dst="255.255.255.255") / ICMP(type=8), "Icmp4EchoToBroadcast", None),
    ("RFC 792, wrong checksum of an echo request", lambda s: s.ip(GW) / ICMP(type=8, chksum=1),
     "Icmp4BadChecksum", None),
    ("RFC 1122 3.2.2, unknown ICMP type", lambda s: s.ip(GW) / ICMP(type=42), "Icmp4UnknownType",
     None),
    ("RFC 1122 3.2.2, error that nobody waits for", lambda s: s.ip(GW) / ICMP(type=3, code=3)
     / IP(src=GW, dst=HOST) / UDP(), None, None),
]


def errors_in(frames):
    found = [icmp_of(f) for f in frames]
    return [i for i in found if i is not None and i.type not in (0, 8)]


@pytest.mark.parametrize("rule, build, reason, told", RULES, ids=[r[0] for r in RULES])
def test_rule(lab, router, rule, build, reason, told):
    sent = build(router.a)
    moved, back = router.drops_of(router.a, sent)
    assert moved == ({reason: 1} if reason else {})
    errors = errors_in(back)
    if told is None:
        assert errors == []
        return
    (error,) = errors
    assert (error.type, error.code) == told[:2]
    if error.type == 12:
        assert bytes(error)[4] == told[2], "RFC 792: the byte that is wrong"
    packet = bytes(Ether(bytes(sent)))[14:]
    quoted = bytes(error)[8:]
    assert quoted[:8] == packet[:8], "RFC 792: the packet that it is about"
    assert len(quoted) >= min(28, len(packet)), "RFC 1812 4.3.2.3: as much as fits"


OPTIONS = [
    # RFC, options of the packet, those of the forwarded one
    ("RFC 1812 5.2.4.3, record route", b"\x07\x07\x04\0\0\0\0\0", b"\x07\x07\x08\x0a\x02\0\x01\0"),
    ("RFC 791 3.1, record route that is full", b"\x07\x07\x08\1\2\3\4\0",
     b"\x07\x07\x08\1\2\3\4\0"),
    ("RFC 791 3.1, timestamp that is full", b"\x44\x08\x09\x10\1\1\1\1",
     b"\x44\x08\x09\x20\1\1\1\1"),
    ("RFC 2113, router alert", b"\x94\x04\0\0", b"\x94\x04\0\0"),
    ("RFC 1812 5.2.4.1, unknown option", b"\x5e\x04\1\2", b"\x5e\x04\1\2"),
]


@pytest.mark.parametrize("rule, options, after", OPTIONS, ids=[o[0] for o in OPTIONS])
def test_options_in_transit(lab, router, rule, options, after):
    router.b.tap.drain()
    moved, _ = router.drops_of(router.a, with_options(router.a, options))
    assert moved == {}
    frame = router.b.tap.receive(lambda f: Ether(f).haslayer(IP) and Ether(f)[IP].src == HOST
                                 and f[14] > 0x45)
    assert frame is not None
    ihl = (frame[14] & 15) * 4
    assert frame[34:14 + ihl] == after
    header = Ether(frame)[IP]
    assert header.ttl == 63


def test_options_refused(lab, router):
    """net.inet.ip.accept_options = 0."""
    router.daemon.plx("sysctl", "net.inet.ip.accept_options=0")
    try:
        moved, back = router.drops_of(router.a, with_options(router.a, b"\x94\x04\0\0"))
        assert moved == {"Ip4OptionsRefused": 1} and errors_in(back) == []
    finally:
        router.daemon.plx("sysctl", "net.inet.ip.accept_options=1")


def test_directed_broadcast_where_it_is_wanted(lab, router):
    """RFC 2644: forwarded only where the sysctl says so, then to all on the link."""
    router.daemon.plx("sysctl", "net.inet.ip.directed-broadcast=1")
    try:
        router.b.tap.drain()
        moved, _ = router.drops_of(router.a, udp(router.a, "10.2.0.255"))
        assert moved == {}
        frame = router.b.tap.receive(lambda f: Ether(f).haslayer(IP)
                                     and Ether(f)[IP].dst == "10.2.0.255")
        assert Ether(frame).dst == BROADCAST and Ether(frame)[IP].ttl == 63
    finally:
        router.daemon.plx("sysctl", "net.inet.ip.directed-broadcast=0")


def test_errors_are_limited(lab, router):
    """RFC 1812 4.3.2.8: net.inet.icmp.errppslimit a second; the drops all count."""
    router.daemon.plx("sysctl", "net.inet.icmp.errppslimit=0")
    try:
        moved, back = router.drops_of(router.a, *[udp(router.a, ttl=1)] * 50)
        assert moved == {"Ip4TtlExpired": 50} and errors_in(back) == []
    finally:
        router.daemon.plx("sysctl", "net.inet.icmp.errppslimit=100")


def test_kernel_follows_our_redirect(lab, router):
    """RFC 1812 5.2.7.2, RFC 1122 3.2.2.2: Linux takes the better gateway that we tell it of."""
    host, better, far, mac = router.host_a, "10.1.0.9", "10.50.0.1", "02:00:00:00:01:09"
    for scope in ("all", "eth0"):
        host.sysctl(f"net.ipv4.conf.{scope}.accept_redirects", 1)
    host.ip("neigh", "replace", better, "lladdr", mac, "dev", "eth0", "nud", "permanent")
    router.daemon.plx("arp", "add", "lan0", better, mac)
    router.daemon.plx("route", "add", "10.50.0.0/16", "via", better)
    router.daemon.plx("sysctl", "net.inet.ip.redirect=1")
    try:
        def follows():
            host.ping(far, "-W", "0.2", check=False)
            return f"via {better} " in host.ip("route", "get", far).stdout
        wait_for(follows, "the kernel to go by the other gateway")
    finally:
        router.daemon.plx("sysctl", "net.inet.ip.redirect=0")
        router.daemon.plx("route", "delete", "10.50.0.0/16")
        router.daemon.plx("arp", "del", "lan0", better)
        host.ip("route", "flush", "cache")
