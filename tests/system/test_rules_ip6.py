# SPDX-License-Identifier: BSD-3-Clause
"""The rules of RFC 4443, 5722 and 8200, in the order of their sections: packet in; packet, answer or
named drop out. `grep "RFC 8200 4.5"` finds the rows of a section; rules.py says what a row means.
Neighbour Discovery's are in test_rules_nd.py, paths and MTUs with kernels in test_inet6.py.
"""
import socket

import pytest
from rules import (
    FAR6,
    GW6,
    GW6_B,
    HOST6,
    MAC_B,
    MTU_B,
    Rule,
    check,
    error_of,
)
from scapy.compat import raw
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import (
    HBHOptUnknown,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
    RouterAlert,
    in6_chksum,
    in6_getnsmac,
)
from scapy.layers.l2 import Ether
from scapy.packet import Raw

ALL_NODES, LL = "ff02::1", "fe80::a"


def ip(s, dst, payload=b"", src=HOST6, to=None, **fields):
    """A frame to polluxd, or to the group."""
    if to is None:
        packed = socket.inet_pton(socket.AF_INET6, dst)
        to = in6_getnsmac(packed) if packed[0] == 0xff else s.gateway_mac
    packet = IPv6(**{"src": src, "dst": dst, **fields})
    return s.ether(dst=to) / (packet / payload if payload else packet)


def udp(s, dst=FAR6, data=b"payload!", **fields):
    return ip(s, dst, UDP(sport=1000, dport=9) / data, **fields)


def echo(s, dst=GW6, **fields):
    return ip(s, dst, ICMPv6EchoRequest(id=7, seq=9, data=b"what it is"), **fields)


def patched(frame, at, *values):
    """The frame with bytes of the IPv6 packet replaced."""
    data = bytearray(bytes(frame))
    data[14 + at:14 + at + len(values)] = bytes(values)
    return bytes(data)


def truncated(frame, keep):
    return bytes(frame)[:14 + keep]


def message(s, dst, data, src=HOST6, hlim=255):
    """A packet with these bytes as ICMPv6, the checksum made right."""
    data = bytearray(data)
    data[2:4] = bytes(2)
    head = IPv6(src=src, dst=dst, hlim=hlim, nh=58)
    data[2:4] = in6_chksum(58, head, bytes(data)).to_bytes(2, "big")
    return ip(s, dst, Raw(bytes(data)), src=src, hlim=hlim, nh=58)


def is_reply(p):
    return ICMPv6EchoReply in p and raw(p[ICMPv6EchoReply])[4:] == b"\0\7\0\x09what it is"


def forwarded(hlim=63, **fields):
    return lambda p: (p.dst == MAC_B and p[IPv6].hlim == hlim and
                      all(getattr(p[IPv6], n) == v for n, v in fields.items()))


def option(kind, data=b"12"):
    return HBHOptUnknown(otype=kind, optdata=data)


def hop(*options):
    return IPv6ExtHdrHopByHop(options=list(options))


def dest(*options):
    return IPv6ExtHdrDestOpt(options=list(options))


CLOSED = UDP(sport=1000, dport=9) / b"payload!"
RFC_4443 = [
    Rule("RFC 4443 2.1", "an echo request of 7 bytes", lambda s: message(s, GW6, b"\x80\0\0\0\0\0\0"),
         "Icmp6Truncated"),
    Rule("RFC 4443 2.2 (a)", "an error comes from the address that was meant",
         lambda s: udp(s, GW6_B), "UdpNoPort", (1, 4)),
    Rule("RFC 4443 2.3", "checksum of an echo request",
         lambda s: ip(s, GW6, ICMPv6EchoRequest(cksum=1)), "Icmp6BadChecksum"),
    Rule("RFC 4443 2.3", "checksum of an error",
         lambda s: ip(s, GW6, Raw(b"\1\4\1\1\0\0\0\0" + bytes(48)), nh=58), "Icmp6BadChecksum"),
    Rule("RFC 4443 2.4 (a)", "unknown error: taken, nothing said",
         lambda s: message(s, GW6, b"\x64\0\0\0\0\0\0\0" + bytes(48))),
    Rule("RFC 4443 2.4 (b)", "unknown informational message: silently",
         lambda s: message(s, GW6, b"\xc8\0\0\0\0\0\0\0"), "Icmp6UnknownType"),
    Rule("RFC 4443 2.4 (e.1)", "nothing about an error",
         lambda s: message(s, FAR6, b"\1\0\0\0\0\0\0\0" + bytes(48), hlim=1), "Ip6HopLimitExpired"),
    Rule("RFC 4443 2.4 (e.1)", "nothing about an error of unknown type",
         lambda s: message(s, FAR6, b"\x7f\0\0\0\0\0\0\0" + bytes(48), hlim=1), "Ip6HopLimitExpired"),
    Rule("RFC 4443 2.4 (e.1)", "nothing about an error behind extension headers",
         lambda s: patched(ip(s, FAR6, dest(PadN(optdata=b"1234")) / Raw(b"\1\0\0\0\0\0\0\0"),
                              hlim=1), 40, 58), "Ip6HopLimitExpired"),
    Rule("RFC 4443 2.4 (e.1)", "nothing about a later fragment that may be of an error",
         lambda s: fragment(s, 64, 1, bytes(64), nh=58, dst=FAR6, hlim=1), "Ip6HopLimitExpired"),
    Rule("RFC 4443 2.4 (e)", "but about a later fragment of UDP",
         lambda s: fragment(s, 64, 1, bytes(64), dst=FAR6, hlim=1), "Ip6HopLimitExpired", (3, 0, 0)),
    Rule("RFC 4443 2.4 (e.2)", "nothing about a redirect",
         lambda s: message(s, FAR6, b"\x89\0\0\0" + bytes(36), hlim=1), "Ip6HopLimitExpired"),
    Rule("RFC 4443 2.4 (e)", "but about an echo request", lambda s: echo(s, FAR6, hlim=1),
         "Ip6HopLimitExpired", (3, 0, 0)),
    Rule("RFC 4443 2.4 (e.3)", "nothing about a group",
         lambda s: ip(s, ALL_NODES, Raw(b"x"), nh=200), "Ip6UnknownNextHeader"),
    Rule("RFC 4443 2.4 (e.3)", "but about an option of a group that asks for it",
         lambda s: ip(s, ALL_NODES, hop(option(0x80)) / CLOSED), "Ip6UnknownOption", (4, 2, 42)),
    Rule("RFC 4443 2.4 (e.4)", "nothing about a link-layer multicast",
         lambda s: udp(s, GW6, to="33:33:00:00:00:01"), "Ip6LinkGroup"),
    Rule("RFC 4443 2.4 (e.5)", "nothing about a link-layer broadcast",
         lambda s: udp(s, GW6, to="ff:ff:ff:ff:ff:ff"), "Ip6LinkGroup"),
    Rule("RFC 4443 2.4 (e.6)", "nothing to nobody", lambda s: udp(s, GW6, src="::"), "UdpNoPort"),
    Rule("RFC 4443 2.4 (e.6)", "nothing to a group", lambda s: udp(s, GW6, src="ff02::9"),
         "Ip6BadSource"),
    Rule("RFC 4443 3.1", "code 0, no route", lambda s: udp(s, "2001:db8:77::1"), "Ip6NoRoute",
         (1, 0, 0)),
    Rule("RFC 4443 3.1", "code 0, by a route that says so", lambda s: udp(s, "2001:db8:68::1"),
         "Ip6NoRoute", (1, 0, 0)),
    Rule("RFC 4443 3.1", "code 1, prohibited", lambda s: udp(s, "2001:db8:67::1"), "Ip6Prohibited",
         (1, 1, 0)),
    Rule("RFC 4443 3.1", "code 2, beyond scope", lambda s: udp(s, src=LL), "Ip6BeyondScope",
         (1, 2, 0)),
    Rule("RFC 4443 3.1", "code 4, port", lambda s: udp(s, GW6), "UdpNoPort", (1, 4, 0)),
    Rule("RFC 4443 3.1", "a blackhole says nothing", lambda s: udp(s, "2001:db8:66::1"),
         "Ip6Blackhole"),
    Rule("RFC 4443 3.2", "packet too big, with the MTU", lambda s: udp(s, data=bytes(1400)), "Ip6TooBig",
         (2, 0, MTU_B)),
    Rule("RFC 4443 3.2", "as large as the MTU", lambda s: udp(s, data=bytes(MTU_B - 48)),
         passed=forwarded()),
    Rule("RFC 4443 3.3", "hop limit 1", lambda s: udp(s, hlim=1), "Ip6HopLimitExpired", (3, 0, 0)),
    Rule("RFC 4443 3.3", "hop limit 0", lambda s: udp(s, hlim=0), "Ip6HopLimitExpired", (3, 0, 0)),
    Rule("RFC 4443 3.4", "code 0, a field", lambda s: ip(s, GW6, IPv6ExtHdrRouting(
        addresses=[FAR6], segleft=1) / CLOSED), "Ip6RoutingHeader", (4, 0, 42)),
    Rule("RFC 4443 3.4", "code 1, next header", lambda s: ip(s, GW6, Raw(b"12345678"), nh=200),
         "Ip6UnknownNextHeader", (4, 1, 6)),
    Rule("RFC 4443 3.4", "code 1, next header behind another",
         lambda s: patched(ip(s, GW6, dest(PadN(optdata=b"1234")) / CLOSED), 40, 201),
         "Ip6UnknownNextHeader", (4, 1, 40)),
    Rule("RFC 4443 3.4", "code 2, option", lambda s: ip(s, GW6, dest(option(0x81)) / CLOSED),
         "Ip6UnknownOption", (4, 2, 42)),
    Rule("RFC 4443 4.1", "any code of an echo request",
         lambda s: message(s, GW6, b"\x80\5\0\0\0\7\0\x09what it is"), answered=is_reply),
    Rule("RFC 4443 4.2", "the reply has the data, and comes from who was asked", echo,
         answered=lambda p: is_reply(p) and p[IPv6].src == GW6),
    Rule("RFC 4443 4.2", "the other interface's address was asked", lambda s: echo(s, GW6_B),
         answered=lambda p: is_reply(p) and p[IPv6].src == GW6_B),
    Rule("RFC 4443 4.2", "to a group: from an address of the interface", lambda s: echo(s, ALL_NODES),
         answered=lambda p: is_reply(p) and p[IPv6].src == GW6),
    Rule("RFC 4443 4.2", "to a group, link-local: from the link-local address",
         lambda s: echo(s, ALL_NODES, src=LL),
         answered=lambda p: is_reply(p) and p[IPv6].src.startswith("fe80:")),
    Rule("RFC 4443 4.2", "a reply is taken", lambda s: ip(s, GW6, ICMPv6EchoReply(id=7))),
]

def pieces(s, *cuts, number, dst=GW6):
    """Fragments [from, to) of an echo request, each with M set but where it ends at 48."""
    whole = raw(IPv6(src=HOST6, dst=dst) / ICMPv6EchoRequest(id=7, seq=9, data=bytes(range(40))))[40:]
    return [ip(s, dst, IPv6ExtHdrFragment(nh=58, offset=a // 8, m=int(b != 48), id=number) /
               Raw(whole[a:b])) for a, b in cuts]


def is_whole(p):
    return ICMPv6EchoReply in p and raw(p[ICMPv6EchoReply])[8:] == bytes(range(40))


RFC_5722 = [
    Rule("RFC 5722 4", "the second overlaps the end of the first",
         lambda s: pieces(s, (0, 24), (16, 48), number=0x50), {"FragmentOverlap": 2}),
    Rule("RFC 5722 4", "the second overlaps the beginning of the first",
         lambda s: pieces(s, (16, 48), (0, 24), number=0x51), {"FragmentOverlap": 2}),
    Rule("RFC 5722 4", "the second lies within the first",
         lambda s: pieces(s, (0, 40), (8, 16), number=0x52), {"FragmentOverlap": 2}),
    Rule("RFC 5722 4", "the second covers the first",
         lambda s: pieces(s, (8, 16), (0, 40), number=0x53), {"FragmentOverlap": 2}),
    Rule("RFC 5722 4", "what still comes of it is dropped as well",
         lambda s: pieces(s, (0, 24), (16, 24), (24, 48), (0, 24), (24, 48), number=0x54),
         {"FragmentOverlap": 5}),
    Rule("RFC 5722 4", "two ends", lambda s: pieces(s, (24, 48), number=0x55) + [
        ip(s, GW6, IPv6ExtHdrFragment(nh=58, offset=2, m=0, id=0x55) / Raw(bytes(8)))],
         {"FragmentBadEnd": 2}),
]

PAD = PadN(optdata=b"1234")


def fragment(s, offset, m, data, nh=17, number=0x60, dst=GW6, **fields):
    body = IPv6ExtHdrFragment(nh=nh, offset=offset // 8, m=m, id=number) / Raw(data)
    return ip(s, dst, body, **fields)


RFC_8200 = [
    Rule("RFC 8200 3", "39 bytes", lambda s: truncated(udp(s), 39), "Ip6Truncated"),
    Rule("RFC 8200 3", "Version 4", lambda s: patched(udp(s), 0, 0x45), "Ip6BadVersion"),
    Rule("RFC 8200 3", "Version 7", lambda s: patched(udp(s), 0, 0x70), "Ip6BadVersion"),
    Rule("RFC 8200 3", "Payload Length beyond the frame", lambda s: udp(s, plen=500), "Ip6BadLength"),
    Rule("RFC 8200 3", "link padding is no part of it", lambda s: bytes(udp(s)) + bytes(9),
         passed=forwarded(plen=16)),
    Rule("RFC 8200 3", "Hop Limit one less", lambda s: udp(s, hlim=2), passed=forwarded(1)),
    Rule("RFC 8200 3", "Hop Limit 255", lambda s: udp(s, hlim=255), passed=forwarded(254)),
    Rule("RFC 8200 3", "Hop Limit is not looked at unless forwarding", lambda s: echo(s, hlim=0),
         answered=is_reply),
    Rule("RFC 4291 2.5.2", "to ::", lambda s: udp(s, "::"), "Ip6BadDestination"),
    Rule("RFC 4291 2.5.2", "from :: in transit", lambda s: udp(s, src="::"), "Ip6BadSource"),
    Rule("RFC 4291 2.5.3", "to ::1", lambda s: udp(s, "::1"), "Ip6BadDestination"),
    Rule("RFC 4291 2.5.3", "from ::1", lambda s: udp(s, src="::1"), "Ip6BadSource"),
    Rule("RFC 4291 2.5.5.2", "to an IPv4-mapped address", lambda s: udp(s, "::ffff:10.2.0.2"),
         "Ip6BadDestination"),
    Rule("RFC 4291 2.5.5.2", "from an IPv4-mapped address", lambda s: udp(s, src="::ffff:10.1.0.2"),
         "Ip6BadSource"),
    Rule("RFC 4291 2.5.6", "to a link-local address that is not ours", lambda s: udp(s, "fe80::99"),
         "Ip6BeyondScope"),
    Rule("RFC 4291 2.7", "from a group", lambda s: udp(s, src="ff02::1"), "Ip6BadSource"),
    Rule("RFC 4291 2.7", "to a group that nobody is in", lambda s: udp(s, "ff02::99"), "Ip6Multicast"),
    Rule("RFC 4291 2.7", "to a group of the site", lambda s: udp(s, "ff05::99"), "Ip6Multicast"),
    Rule("RFC 8200 4", "headers behind hop-by-hop options are no router's business",
         lambda s: ip(s, FAR6, dest(option(0xc1)) / CLOSED), passed=forwarded()),
    Rule("RFC 8200 4", "an unknown next header passes", lambda s: ip(s, FAR6, Raw(b"x"), nh=200),
         passed=forwarded(nh=200)),
    Rule("RFC 8200 4.1", "hop-by-hop options elsewhere than first",
         lambda s: ip(s, GW6, dest(PAD) / hop(PAD) / CLOSED), "Ip6HopByHopPlace", (4, 1, 40)),
    Rule("RFC 8200 4.1", "headers in another order are taken",
         lambda s: ip(s, GW6, dest(PAD) / IPv6ExtHdrRouting(segleft=0) / dest(PAD) /
                      ICMPv6EchoRequest(id=7, seq=9, data=b"what it is")), answered=is_reply),
    Rule("RFC 8200 4.1", "a header past the packet",
         lambda s: patched(ip(s, GW6, dest(PAD) / CLOSED), 41, 9), "Ip6BadExtension"),
    Rule("RFC 8200 4.1", "more headers than net.inet6.ip6.hdrnestlimit",
         lambda s: ip(s, GW6, dest(PAD) / dest(PAD) / dest(PAD) / dest(PAD) / dest(PAD) / dest(PAD) /
                      dest(PAD) / dest(PAD) / dest(PAD) / CLOSED), "Ip6TooManyExtensions"),
    Rule("RFC 8200 4.2", "00: passed over, for us", lambda s: ip(
        s, GW6, dest(option(0x1e)) / ICMPv6EchoRequest(id=7, seq=9, data=b"what it is")),
         answered=is_reply),
    Rule("RFC 8200 4.2", "00: passed over, in transit",
         lambda s: ip(s, FAR6, hop(option(0x1e)) / CLOSED), passed=forwarded()),
    Rule("RFC 8200 4.2", "01: dropped, for us", lambda s: ip(s, GW6, dest(option(0x5e)) / CLOSED),
         "Ip6UnknownOption"),
    Rule("RFC 8200 4.2", "01: dropped, in transit", lambda s: ip(s, FAR6, hop(option(0x5e)) / CLOSED),
         "Ip6UnknownOption"),
    Rule("RFC 8200 4.2", "10: told, in transit", lambda s: ip(s, FAR6, hop(option(0x9e)) / CLOSED),
         "Ip6UnknownOption", (4, 2, 42)),
    Rule("RFC 8200 4.2", "10: told, behind another option",
         lambda s: ip(s, FAR6, hop(PAD, option(0x9e)) / CLOSED), "Ip6UnknownOption", (4, 2, 48)),
    Rule("RFC 8200 4.2", "10: told, to a group", lambda s: ip(s, ALL_NODES, dest(option(0x9e)) / CLOSED),
         "Ip6UnknownOption", (4, 2, 42)),
    Rule("RFC 8200 4.2", "11: told", lambda s: ip(s, GW6, dest(option(0xde)) / CLOSED),
         "Ip6UnknownOption", (4, 2, 42)),
    Rule("RFC 8200 4.2", "11: not to a group", lambda s: ip(s, ALL_NODES, dest(option(0xde)) / CLOSED),
         "Ip6UnknownOption"),
    Rule("RFC 8200 4.2", "Pad1 and PadN", lambda s: patched(ip(s, FAR6, hop(PAD) / CLOSED), 42, 0, 1, 2, 0, 0, 0),
         passed=forwarded()),
    Rule("RFC 8200 4.2", "an option past its header",
         lambda s: patched(ip(s, FAR6, hop(PAD) / CLOSED), 43, 5), "Ip6BadOption"),
    Rule("RFC 8200 4.3", "a jumbo payload (RFC 2675), not supported",
         lambda s: ip(s, FAR6, hop(option(0xc2, bytes(4))) / CLOSED), "Ip6UnknownOption", (4, 2, 42)),
    Rule("RFC 8200 4.3", "Router Alert passes", lambda s: ip(s, FAR6, hop(RouterAlert()) / CLOSED),
         passed=forwarded()),
    Rule("RFC 8200 4.4", "unknown routing type, no segments left: passed over",
         lambda s: patched(ip(s, GW6, IPv6ExtHdrRouting(segleft=0) /
                              ICMPv6EchoRequest(id=7, seq=9, data=b"what it is")), 42, 99),
         answered=is_reply),
    Rule("RFC 8200 4.4", "unknown routing type, segments left",
         lambda s: patched(ip(s, GW6, IPv6ExtHdrRouting(addresses=[FAR6], segleft=1) / CLOSED), 42, 99),
         "Ip6RoutingHeader", (4, 0, 42)),
    Rule("RFC 8200 4.4", "type 0 with segments left (RFC 5095)",
         lambda s: ip(s, GW6, IPv6ExtHdrRouting(addresses=[FAR6], segleft=1) / CLOSED),
         "Ip6RoutingHeader", (4, 0, 42)),
    Rule("RFC 8200 4.4", "in transit it is nobody's business",
         lambda s: ip(s, FAR6, IPv6ExtHdrRouting(addresses=[GW6], segleft=1) / CLOSED),
         passed=forwarded()),
    Rule("RFC 8200 4.5", "three fragments in any order",
         lambda s: pieces(s, (24, 48), (0, 8), (8, 24), number=0x61), answered=is_whole),
    Rule("RFC 8200 4.5", "an exact duplicate is dropped alone",
         lambda s: pieces(s, (0, 24), (0, 24), (24, 48), number=0x62), "FragmentDuplicate",
         answered=is_whole),
    Rule("RFC 8200 4.5", "not the last and no multiple of 8", lambda s: fragment(s, 0, 1, bytes(17)),
         "FragmentBadLength", (4, 0, 4)),
    Rule("RFC 8200 4.5", "beyond 65,535 bytes", lambda s: fragment(s, 65528, 0, bytes(16)),
         "FragmentTooLong", (4, 0, 42)),
    Rule("RFC 8200 4.5", "a first one without all headers",
         lambda s: fragment(s, 0, 1, bytes(16), nh=6), "FragmentTiny", (4, 3, 0)),
    Rule("RFC 8200 4.5", "a fragment header of 4 bytes",
         lambda s: ip(s, GW6, Raw(b"\x11\0\0\1"), nh=44), "Ip6BadExtension"),
    Rule("RFC 8200 4.5", "an atomic fragment is a packet (RFC 6946)",
         lambda s: pieces(s, (0, 48), number=0x63), answered=is_whole),
    Rule("RFC 8200 4.5", "fragments pass in transit as they are",
         lambda s: fragment(s, 64, 1, bytes(64), dst=FAR6), passed=forwarded(nh=44)),
    Rule("RFC 8200 4.7", "no next header, for us", lambda s: ip(s, GW6, Raw(b"ignored"), nh=59),
         "Ip6NoNextHeader"),
    Rule("RFC 8200 4.7", "no next header, in transit", lambda s: ip(s, FAR6, Raw(b"as it is"), nh=59),
         passed=lambda p: raw(p[IPv6].payload)[:8] == b"as it is"),
    Rule("RFC 8200 5", "a router does not cut", lambda s: udp(s, data=bytes(1400)), "Ip6TooBig",
         (2, 0, MTU_B)),
    Rule("RFC 8200 6", "the flow label passes", lambda s: udp(s, fl=0x54321), passed=forwarded(fl=0x54321)),
    Rule("RFC 8200 7", "the traffic class passes", lambda s: udp(s, tc=0xb9), passed=forwarded(tc=0xb9)),
    Rule("RFC 8200 8.1", "UDP without a checksum",
         lambda s: ip(s, GW6, UDP(dport=9, chksum=0) / b"x"), "UdpBadChecksum"),
    Rule("RFC 8200 8.1", "UDP checksum", lambda s: ip(s, GW6, UDP(dport=9, chksum=5) / b"x"),
         "UdpBadChecksum"),
    Rule("RFC 8200 8.1", "TCP has no handler", lambda s: ip(s, GW6, TCP(dport=22)),
         "Ip6UnknownNextHeader", (4, 1, 6)),
]
RULES = RFC_4443 + RFC_5722 + RFC_8200


@pytest.mark.parametrize("rule", RULES, ids=[r.name for r in RULES])
def test_rule(bench, rule):
    check(bench, rule)


def test_what_an_error_is_like(bench):
    """RFC 4443 2.4 (c): as much of the packet as fits in 1280 bytes; 2.2: from the interface that it
    leaves by; the hop limit is our own."""
    sent = udp(bench.a, data=bytes(range(256)) * 5 + bytes(120))
    _, back, _ = bench.try_out(sent)
    (error,) = [p[IPv6] for p in back if error_of(p)]
    assert len(error) == 1280 and raw(error.payload)[8:] == raw(sent[IPv6])[:1232]
    assert (error.src, error.hlim) == (GW6, 64)


def test_address_unreachable(bench):
    """RFC 4443 3.1, code 3: when nobody answers solicitations."""
    bench.a.tap.drain()
    bench.a.tap.send(udp(bench.a, "2001:db8:2::99"))
    told = bench.a.tap.receive(lambda f: error_of(Ether(f)) == (1, 3, 0))
    assert told and raw(Ether(told)[IPv6].payload)[8:][24:40].endswith(b"\x99")


def test_time_exceeded_in_reassembly(bench):
    """RFC 8200 4.5, RFC 4443 3.3: code 1, only where the first fragment has come."""
    bench.daemon.plx("sysctl", "net.inet6.ip6.ip6fragttl=1")
    try:
        bench.a.tap.drain()
        for frame in (fragment(bench.a, 64, 1, bytes(64), number=0x71),
                      fragment(bench.a, 0, 1, bytes(64), number=0x72)):
            bench.a.tap.send(frame)
        told = bench.a.tap.receive(lambda f: (error_of(Ether(f)) or (0,))[0] == 3)
        assert error_of(Ether(told)) == (3, 1, 0)
        assert raw(Ether(told)[IPv6].payload)[8 + 44:8 + 48] == b"\0\0\0\x72"
    finally:
        bench.daemon.plx("sysctl", "net.inet6.ip6.ip6fragttl=60")
