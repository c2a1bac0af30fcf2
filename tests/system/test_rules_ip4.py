# SPDX-License-Identifier: BSD-3-Clause
"""The rules of RFC 791, 792, 826, 1122 (as far as a router is bound by them) and 1812, in the order of
their sections: packet in; packet, answer or named drop out. `grep "RFC 1812 5.3"` finds the rows of a
section; rules.py says what a row means. What no single packet shows is elsewhere: neighbours and
time in test_arp.py and tests/stage/neighbor_test.cc, reassembly in test_fragments.py, ICMP's limits
and more of its "never" in test_icmp_rules.py, uRPF in test_vrf.py.
"""
import pytest
from frames import BROADCAST, NO_MAC, insert_options
from lab import wait_for
from rules import FAR, GW, GW_B, HOST, MAC_A, MAC_B, Rule, check, error_of
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Dot3, Ether
from scapy.packet import Raw
from scapy.utils import checksum
from test_bad_headers import patched, truncated, with_options

GROUP_MAC = "01:00:5e:00:00:05"
BETTER = 0x0a010009  # 10.1.0.9


def udp(s, dst=FAR, data=b"payload!", **fields):
    return s.ip(dst, **fields) / UDP(sport=1000, dport=9) / data


def echo(s, dst=GW, data=b"what it is", **fields):
    return s.ip(dst, **fields) / ICMP(type=8, id=7, seq=9) / data


def options(s, data, dst=FAR):
    return with_options(s, data) if dst == FAR else with_options_to(s, data, dst)


def with_options_to(s, data, dst):
    """An echo request with these options to one of our addresses."""
    return insert_options(s.ether() / IP(src=HOST, dst=dst) / ICMP(type=8, id=7, seq=9)
                          / b"what it is", data)


def header(packet):
    return bytes(packet[IP])[:(bytes(packet[IP])[0] & 15) * 4]


def forwarded(ttl=63, **fields):
    """It went on to host-b with a TTL one less, a right checksum, and these fields."""
    def holds(p):
        ip = p[IP]
        return (p.dst == MAC_B and ip.ttl == ttl and checksum(header(p)) == 0 and
                all(getattr(ip, name) == value for name, value in fields.items()))
    return holds


def is_reply(p):
    """An echo reply with id, sequence number and data of echo()."""
    icmp = p[ICMP]
    return ((icmp.type, icmp.code, icmp.id, icmp.seq) == (0, 0, 7, 9) and
            bytes(icmp.payload) == b"what it is")


def passes_options(data):
    return lambda p: header(p)[20:20 + len(data)] == data


RFC_791 = [
    Rule("RFC 791 3.1", "header of 19 bytes", lambda s: truncated(udp(s), 14 + 19), "Ip4Truncated"),
    Rule("RFC 791 3.1", "Version 5", lambda s: patched(udp(s), 0, 0x55), "Ip4BadVersion"),
    Rule("RFC 791 3.1", "IHL 4", lambda s: patched(udp(s), 0, 0x44), "Ip4BadIhl"),
    Rule("RFC 791 3.1", "IHL beyond Total Length", lambda s: udp(s, len=24, ihl=7), "Ip4BadIhl"),
    Rule("RFC 791 3.1", "IHL beyond the frame", lambda s: truncated(udp(s, ihl=15, len=60), 14 + 40),
         "Ip4BadLength"),
    Rule("RFC 791 3.1", "Total Length below 20", lambda s: udp(s, len=19), "Ip4BadIhl"),
    Rule("RFC 791 3.1", "Total Length beyond the frame", lambda s: udp(s, len=999), "Ip4BadLength"),
    Rule("RFC 791 3.1", "link padding is no part of it",
         lambda s: bytes(udp(s)) + b"\xee" * 18, passed=forwarded(len=36)),
    Rule("RFC 791 3.1", "a packet of the header alone", lambda s: s.ip(FAR, proto=253),
         passed=forwarded(len=20)),
    Rule("RFC 791 3.1", "Header Checksum", lambda s: udp(s, chksum=0x1234), "Ip4BadChecksum"),
    Rule("RFC 791 3.1", "End of Option List ends it",
         lambda s: options(s, b"\0\x07\x27\x04"), passed=passes_options(b"\0\x07\x27\x04")),
    Rule("RFC 791 3.1", "No Operation", lambda s: options(s, b"\1\1\1\1"),
         passed=passes_options(b"\1\1\1\1")),
    Rule("RFC 791 3.1", "option without its length", lambda s: options(s, b"\1\1\1\x07"),
         "Ip4BadOption", (12, 0, 23)),
    Rule("RFC 791 3.1", "option of length 0", lambda s: options(s, b"\x07\0\x04\0"),
         "Ip4BadOption", (12, 0, 21)),
    Rule("RFC 791 3.1", "option of length 1", lambda s: options(s, b"\x94\1\0\0"),
         "Ip4BadOption", (12, 0, 21)),
    Rule("RFC 791 3.1", "option past the header", lambda s: options(s, b"\x94\x05\0\0"),
         "Ip4BadOption", (12, 0, 21)),
    Rule("RFC 791 3.1", "Security", lambda s: options(s, b"\x82\x0b" + bytes(9)),
         passed=passes_options(b"\x82\x0b")),
    Rule("RFC 791 3.1", "Stream ID", lambda s: options(s, b"\x88\4\0\7"),
         passed=passes_options(b"\x88\4\0\7")),
    Rule("RFC 791 3.1", "Loose Source Route (dropped: RFC 7126 4.3)",
         lambda s: options(s, b"\x83\7\4\x0a\2\0\2"), "Ip4SourceRoute"),
    Rule("RFC 791 3.1", "Strict Source Route (dropped: RFC 7126 4.4)",
         lambda s: options(s, b"\x89\7\4\x0a\2\0\2"), "Ip4SourceRoute"),
    Rule("RFC 791 3.1", "Record Route of 2 bytes", lambda s: options(s, b"\7\2\0\0"),
         "Ip4BadOption", (12, 0, 21)),
    Rule("RFC 791 3.1", "Record Route, pointer 3", lambda s: options(s, b"\7\7\3\0\0\0\0"),
         "Ip4BadOption", (12, 0, 22)),
    Rule("RFC 791 3.1", "Record Route, room for half an address",
         lambda s: options(s, b"\7\6\4\0\0\0"), "Ip4BadOption", (12, 0, 22)),
    Rule("RFC 791 3.1", "Record Route takes our address",
         lambda s: options(s, b"\7\7\4\0\0\0\0\0"),
         passed=passes_options(b"\7\7\x08\x0a\2\0\1")),
    Rule("RFC 791 3.1", "Record Route that is full", lambda s: options(s, b"\7\7\x08\1\2\3\4\0"),
         passed=passes_options(b"\7\7\x08\1\2\3\4")),
    Rule("RFC 791 3.1", "Timestamp of 3 bytes", lambda s: options(s, b"\x44\3\5\0"),
         "Ip4BadOption", (12, 0, 21)),
    Rule("RFC 791 3.1", "Timestamp, pointer 4", lambda s: options(s, b"\x44\x08\4\0\0\0\0\0"),
         "Ip4BadOption", (12, 0, 22)),
    Rule("RFC 791 3.1", "Timestamp, flag 2", lambda s: options(s, b"\x44\x08\5\2\0\0\0\0"),
         "Ip4BadOption", (12, 0, 23)),
    Rule("RFC 791 3.1", "Timestamp takes the time, not since midnight",
         lambda s: options(s, b"\x44\x08\5\0\0\0\0\0"),
         passed=lambda p: header(p)[20:24] == b"\x44\x08\x09\0" and header(p)[24] & 0x80),
    Rule("RFC 791 3.1", "Timestamp with address",
         lambda s: options(s, b"\x44\x0c\5\1" + bytes(8)),
         passed=lambda p: header(p)[20:28] == b"\x44\x0c\x0d\1\x0a\2\0\1" and any(header(p)[28:32])),
    Rule("RFC 791 3.1", "Timestamp, our address is asked for",
         lambda s: options(s, b"\x44\x0c\5\3\x0a\2\0\1\0\0\0\0"),
         passed=lambda p: header(p)[20:28] == b"\x44\x0c\x0d\3\x0a\2\0\1" and any(header(p)[28:32])),
    Rule("RFC 791 3.1", "Timestamp, another's address is asked for",
         lambda s: options(s, b"\x44\x0c\5\3\x0a\2\0\x63\0\0\0\0"),
         passed=passes_options(b"\x44\x0c\5\3\x0a\2\0\x63\0\0\0\0")),
    Rule("RFC 791 3.1", "Timestamp that is full counts us",
         lambda s: options(s, b"\x44\x08\x09\x10\1\1\1\1"),
         passed=passes_options(b"\x44\x08\x09\x20\1\1\1\1")),
    Rule("RFC 791 3.1", "Timestamp that counts no further",
         lambda s: options(s, b"\x44\x08\x09\xf0\1\1\1\1"), "Ip4BadOption", (12, 0, 23)),
    Rule("RFC 791 3.2", "cut for the smaller MTU", lambda s: udp(s, data=bytes(1440)), passed=2),
    Rule("RFC 791 3.2", "as large as the MTU",
         lambda s: udp(s, data=bytes(1400 - 28)), passed=forwarded(len=1400, flags=0)),
    Rule("RFC 791 3.2", "not cut where it may not be", lambda s: udp(s, data=bytes(1440), flags="DF"),
         "Ip4TooBig", (3, 4, 1400)),
    Rule("RFC 791 3.2", "a fragment passes as it is",
         lambda s: s.ip(FAR, proto=17, frag=100, flags="MF", id=5) / bytes(80),
         passed=forwarded(frag=100, flags="MF", id=5)),
    Rule("RFC 791 3.2", "68 bytes are never cut",
         lambda s: udp(s, data=bytes(40), flags="MF"), passed=forwarded(len=68)),
    Rule("RFC 791 3.2", "fragment for us without data",
         lambda s: s.ip(GW, proto=17, flags="MF"), "FragmentBadLength"),
    Rule("RFC 791 3.2", "not the last and no multiple of 8",
         lambda s: s.ip(GW, proto=17, flags="MF") / bytes(9), "FragmentBadLength"),
    Rule("RFC 791 3.2", "beyond 65,535 bytes",
         lambda s: s.ip(GW, proto=17, frag=8191) / bytes(100), "FragmentTooLong"),
    Rule("RFC 791 3.2", "two halves for us are put together",
         lambda s: [s.ip(GW, proto=1, id=77, flags="MF") / bytes(echo(s)[ICMP])[:16],
                    s.ip(GW, proto=1, id=77, frag=2) / bytes(echo(s)[ICMP])[16:]],
         answered=is_reply),
]

RFC_792 = [
    Rule("RFC 792 unreachable", "net", lambda s: udp(s, "172.20.0.1"), "Ip4NoRoute", (3, 0, 0)),
    Rule("RFC 792 unreachable", "net, by a route that says so", lambda s: udp(s, "10.68.0.1"),
         "Ip4NoRoute", (3, 0, 0)),
    Rule("RFC 792 unreachable", "protocol", lambda s: s.ip(GW, proto=253) / b"x", "Ip4NoProtocol",
         (3, 2, 0)),
    Rule("RFC 792 unreachable", "port", lambda s: udp(s, GW), "UdpNoPort", (3, 3, 0)),
    Rule("RFC 792 unreachable", "DF set", lambda s: udp(s, data=bytes(1440), flags="DF"), "Ip4TooBig",
         (3, 4, 1400)),
    Rule("RFC 792 time exceeded", "in transit", lambda s: udp(s, ttl=1), "Ip4TtlExpired", (11, 0)),
    Rule("RFC 792 parameter problem", "points at the byte", lambda s: options(s, b"\1\1\x94\x09"),
         "Ip4BadOption", (12, 0, 23)),
    Rule("RFC 792 source quench", "is taken and nothing done",
         lambda s: s.ip(GW) / ICMP(type=4) / bytes(28)),
    Rule("RFC 792 redirect", "is taken and nothing done",
         lambda s: s.ip(GW) / ICMP(type=5, code=1, gw="10.1.0.9") / bytes(28)),
    Rule("RFC 792 echo", "comes back as it was", echo, answered=is_reply),
    Rule("RFC 792 echo", "without data", lambda s: echo(s, data=b""),
         answered=lambda p: p[ICMP].type == 0 and p[IP].len == 28),
    Rule("RFC 792 echo", "of an odd length", lambda s: echo(s, data=b"odd"),
         answered=lambda p: bytes(p[ICMP].payload)[:3] == b"odd"),
    Rule("RFC 792 echo", "a reply is taken", lambda s: s.ip(GW) / ICMP(type=0, id=7)),
    Rule("RFC 792 echo", "checksum", lambda s: s.ip(GW) / ICMP(type=8, chksum=1), "Icmp4BadChecksum"),
    Rule("RFC 792 echo", "of 7 bytes", lambda s: s.ip(GW, proto=1) / b"\x08\0\xf7\xff\0\0\0",
         "Icmp4Truncated"),
    Rule("RFC 792 timestamp", "is not answered", lambda s: s.ip(GW) / ICMP(type=13),
         "Icmp4UnknownType"),
    Rule("RFC 792 information", "is not answered", lambda s: s.ip(GW) / ICMP(type=15),
         "Icmp4UnknownType"),
]


def arp(s, to=BROADCAST, **fields):
    return s.ether(dst=to) / ARP(**{"op": 1, "hwsrc": MAC_A, "psrc": HOST, "pdst": GW, **fields})


def is_arp_reply(p):
    a = p[ARP]
    return ((a.op, a.psrc, a.pdst, a.hwdst) == (2, GW, HOST, MAC_A) and p.src == a.hwsrc)


RFC_826 = [
    Rule("RFC 826 reception", "request for us", arp, answered=is_arp_reply),
    Rule("RFC 826 reception", "request for us, to us alone", lambda s: arp(s, s.gateway_mac),
         answered=is_arp_reply),
    Rule("RFC 826 reception", "padding is no part of it", lambda s: bytes(arp(s)) + bytes(18),
         answered=is_arp_reply),
    Rule("RFC 826 reception", "27 bytes", lambda s: truncated(arp(s), 41), "ArpTruncated"),
    Rule("RFC 826 reception", "hardware type ar$hrd", lambda s: arp(s, hwtype=6), "ArpBadHardware"),
    Rule("RFC 826 reception", "hardware length ar$hln", lambda s: arp(s, hwlen=8), "ArpBadHardware"),
    Rule("RFC 826 reception", "protocol ar$pro", lambda s: arp(s, ptype=0x86dd), "ArpBadProtocol"),
    Rule("RFC 826 reception", "protocol length ar$pln", lambda s: arp(s, plen=6), "ArpBadProtocol"),
    Rule("RFC 826 reception", "opcode ar$op", lambda s: arp(s, op=3), "ArpBadOperation"),
    Rule("RFC 826 reception", "opcode 0", lambda s: arp(s, op=0), "ArpBadOperation"),
    Rule("RFC 826 reception", "request for a third host", lambda s: arp(s, pdst="10.1.0.77"),
         "ArpNotForUs"),
    Rule("RFC 826 reception", "a reply is not answered",
         lambda s: arp(s, s.gateway_mac, op=2, hwdst=s.gateway_mac)),
    Rule("RFC 826 reception", "request from another subnet", lambda s: arp(s, psrc="172.16.0.9"),
         "ArpForeignSender"),
    Rule("RFC 1812 3.3.2", "ARP that claims a broadcast address", lambda s: arp(s, hwsrc=BROADCAST),
         "ArpBadSender"),
    Rule("RFC 1812 3.3.2", "ARP that claims a group address", lambda s: arp(s, hwsrc=GROUP_MAC),
         "ArpBadSender"),
    Rule("RFC 1812 3.3.2", "ARP that claims no address", lambda s: arp(s, hwsrc=NO_MAC),
         "ArpBadSender"),
    Rule("RFC 5227 1.1", "a probe for our address is answered", lambda s: arp(s, psrc="0.0.0.0"),
         answered=lambda p: (p[ARP].op, p[ARP].psrc, p[ARP].pdst) == (2, GW, "0.0.0.0")),
    Rule("RFC 5227 2.4", "another host with our address", lambda s: arp(s, psrc=GW, hwsrc=MAC_A),
         "ArpConflict"),
]

RFC_1122 = [
    Rule("RFC 1122 2.3.3", "IEEE 802.3 framing is not spoken",
         lambda s: Dot3(src=MAC_A, dst=s.gateway_mac, len=46) / Raw(b"\xaa\xaa\3\0\0\0\x08\0" + bytes(38)),
         "EtherUnknownType"),
    Rule("RFC 1122 3.2.1.1", "version other than 4: silently", lambda s: patched(udp(s), 0, 0x65),
         "Ip4BadVersion"),
    Rule("RFC 1122 3.2.1.2", "bad checksum: silently", lambda s: udp(s, GW, chksum=9),
         "Ip4BadChecksum"),
    Rule("RFC 1122 3.2.1.3", "not for this host and no router's business: another MAC",
         lambda s: s.ether(dst="02:00:00:00:99:99") / IP(src=HOST, dst=FAR), "EtherNotForUs"),
    Rule("RFC 1122 3.2.1.3 (a)", "from 0.0.0.0", lambda s: udp(s, GW, src="0.0.0.0"), "Ip4BadSource"),
    Rule("RFC 1122 3.2.1.3 (b)", "from 0.1.2.3", lambda s: udp(s, GW, src="0.1.2.3"), "Ip4BadSource"),
    Rule("RFC 1122 3.2.1.3 (c)", "from 255.255.255.255",
         lambda s: udp(s, GW, src="255.255.255.255"), "Ip4BadSource"),
    Rule("RFC 1122 3.2.1.3 (d)", "from a group", lambda s: udp(s, GW, src="224.1.2.3"),
         "Ip4BadSource"),
    Rule("RFC 1122 3.2.1.3 (e)", "from the broadcast address of our subnet: no answer goes there",
         lambda s: udp(s, GW, src="10.1.0.255"), {"UdpNoPort": 1, "Ip4DirectedBroadcast": 1}),
    Rule("RFC 1122 3.2.1.3 (g)", "from 127/8", lambda s: udp(s, GW, src="127.0.0.1"), "Ip4BadSource"),
    Rule("RFC 1122 3.2.1.3 (g)", "to 127/8", lambda s: echo(s, "127.0.0.1"), "Ip4Martian"),
    Rule("RFC 1122 3.2.1.7", "TTL 1 for us is taken", lambda s: echo(s, ttl=1), answered=is_reply),
    Rule("RFC 1122 3.2.1.7", "TTL 0 for us is taken", lambda s: echo(s, ttl=0), answered=is_reply),
    Rule("RFC 1122 3.2.1.8", "unknown option is ignored",
         lambda s: options(s, b"\x5e\4\1\2", GW), answered=is_reply),
    Rule("RFC 1122 3.2.1.8 (a)", "Security is ignored",
         lambda s: options(s, b"\x82\x0b" + bytes(9), GW), answered=is_reply),
    Rule("RFC 1122 3.2.2", "unknown type: silently", lambda s: s.ip(GW) / ICMP(type=200),
         "Icmp4UnknownType"),
    Rule("RFC 1122 3.2.2", "no error about an error",
         lambda s: s.ip(FAR, ttl=1) / ICMP(type=3, code=1) / bytes(28), "Ip4TtlExpired"),
    Rule("RFC 1122 3.2.2", "no error about a redirect",
         lambda s: s.ip(FAR, ttl=1) / ICMP(type=5, code=1) / bytes(28), "Ip4TtlExpired"),
    Rule("RFC 1122 3.2.2", "no error about a broadcast",
         lambda s: s.ether(dst=BROADCAST) / IP(src=HOST, dst="10.1.0.255") / UDP(dport=9),
         "UdpNoPort"),
    Rule("RFC 1122 3.2.2", "no error about a link-layer broadcast",
         lambda s: s.ether(dst=BROADCAST) / IP(src=HOST, dst=GW) / UDP(dport=9), "Ip4LinkBroadcast"),
    Rule("RFC 1122 3.2.2", "no error about a later fragment",
         lambda s: s.ip(FAR, proto=17, frag=20, ttl=1) / bytes(80), "Ip4TtlExpired"),
    Rule("RFC 1122 3.2.2", "but about the first",
         lambda s: s.ip(FAR, proto=17, flags="MF", ttl=1) / bytes(80), "Ip4TtlExpired", (11, 0)),
    Rule("RFC 1122 3.2.2", "no error to who is no single host",
         lambda s: udp(s, src="240.0.0.1", ttl=1), "Ip4BadSource"),
    Rule("RFC 1122 3.2.2.1", "protocol unreachable", lambda s: s.ip(GW) / TCP(dport=22, flags="S"),
         "Ip4NoProtocol", (3, 2, 0)),
    Rule("RFC 1122 3.2.2.6", "echo to a broadcast address is not answered",
         lambda s: s.ether(dst=BROADCAST) / IP(src=HOST, dst="10.1.0.255") / ICMP(type=8),
         "Icmp4EchoToBroadcast"),
    Rule("RFC 1122 3.2.2.6", "the reply comes from the address that was asked",
         lambda s: echo(s, GW_B), answered=lambda p: is_reply(p) and p[IP].src == GW_B),
    Rule("RFC 1122 3.2.2.6", "the whole of 1,472 bytes comes back",
         lambda s: echo(s, data=bytes(range(256)) * 5 + bytes(192)),
         answered=lambda p: bytes(p[ICMP].payload) == bytes(range(256)) * 5 + bytes(192)),
    Rule("RFC 1122 3.2.2.9", "address mask request is not answered",
         lambda s: s.ip(GW) / ICMP(type=17), "Icmp4UnknownType"),
    Rule("RFC 1122 3.3.6", "unicast in a link-layer broadcast: silently",
         lambda s: s.ether(dst=BROADCAST) / IP(src=HOST, dst=FAR) / UDP(), "Ip4LinkBroadcast"),
    Rule("RFC 1122 4.1.3.4", "UDP checksum", lambda s: s.ip(GW) / UDP(dport=9, chksum=1),
         "UdpBadChecksum"),
    Rule("RFC 1122 4.1.3.4", "no UDP checksum", lambda s: s.ip(GW) / UDP(dport=9, chksum=0),
         "UdpNoPort", (3, 3, 0)),
    Rule("RFC 1122 4.1.3.6", "UDP from an address that none may have",
         lambda s: udp(s, GW, src="224.0.0.1"), "Ip4BadSource"),
]

RFC_1812 = [
    Rule("RFC 1812 4.2.2.3", "reserved bit set: passes as it is", lambda s: udp(s, flags="evil"),
         passed=forwarded(flags="evil")),
    Rule("RFC 1812 4.2.2.4", "TOS passes as it is", lambda s: udp(s, tos=0x1c), passed=forwarded(tos=0x1c)),
    Rule("RFC 1812 4.2.2.9", "TTL is not looked at unless forwarding", lambda s: udp(s, GW_B, ttl=1),
         "UdpNoPort", (3, 3, 0)),
    Rule("RFC 1812 4.2.3.1", "to 0.0.0.0", lambda s: udp(s, "0.0.0.0"), "Ip4Martian"),
    Rule("RFC 1812 4.3.2.1", "unknown ICMP type: silently", lambda s: s.ip(GW) / ICMP(type=42),
         "Icmp4UnknownType"),
    Rule("RFC 1812 4.3.2.7", "no error about a group",
         lambda s: s.ether(dst=GROUP_MAC) / IP(src=HOST, dst="224.0.0.5", ttl=1) / UDP(), "Ip4Multicast"),
    Rule("RFC 1812 4.3.2.7", "no error about a source route",
         lambda s: options(s, b"\x83\7\4\x0a\x63\0\2"), "Ip4SourceRoute"),
    Rule("RFC 1812 4.3.3.6", "echo reply has the TOS of the request", lambda s: echo(s, tos=0x48),
         answered=lambda p: is_reply(p) and p[IP].tos == 0x48),
    Rule("RFC 1812 5.2.2 (1)", "shorter than a header", lambda s: truncated(udp(s), 14 + 4),
         "Ip4Truncated"),
    Rule("RFC 1812 5.2.2 (2)", "checksum", lambda s: udp(s, chksum=0xffff), "Ip4BadChecksum"),
    Rule("RFC 1812 5.2.2 (3)", "version", lambda s: patched(udp(s), 0, 0x65), "Ip4BadVersion"),
    Rule("RFC 1812 5.2.2 (4)", "header of less than 20 bytes", lambda s: patched(udp(s), 0, 0x43),
         "Ip4BadIhl"),
    Rule("RFC 1812 5.2.2 (5)", "Total Length below the header", lambda s: udp(s, ihl=6, len=20),
         "Ip4BadIhl"),
    Rule("RFC 1812 5.2.3", "limited broadcast is for us and goes nowhere else",
         lambda s: s.ether(dst=BROADCAST) / IP(src=HOST, dst="255.255.255.255") / UDP(dport=67),
         "UdpNoPort"),
    Rule("RFC 1812 5.2.7.1", "network unreachable", lambda s: udp(s, "203.0.113.1"), "Ip4NoRoute",
         (3, 0, 0)),
    Rule("RFC 1812 5.2.7.1", "administratively prohibited", lambda s: udp(s, "10.67.1.1"),
         "Ip4Prohibited", (3, 13, 0)),
    Rule("RFC 1812 5.2.7.1", "a blackhole says nothing", lambda s: udp(s, "10.66.1.1"),
         "Ip4Blackhole"),
    Rule("RFC 1812 5.3.1", "TTL one less", lambda s: udp(s, ttl=2), passed=forwarded(ttl=1)),
    Rule("RFC 1812 5.3.1", "TTL 255", lambda s: udp(s, ttl=255), passed=forwarded(ttl=254)),
    Rule("RFC 1812 5.3.1", "TTL 1", lambda s: udp(s, ttl=1), "Ip4TtlExpired", (11, 0)),
    Rule("RFC 1812 5.3.1", "TTL 0", lambda s: udp(s, ttl=0), "Ip4TtlExpired", (11, 0)),
    Rule("RFC 1812 5.3.3.3", "precedence passes as it is", lambda s: udp(s, tos=0xe0),
         passed=forwarded(tos=0xe0)),
    Rule("RFC 1812 5.3.4", "a link-layer broadcast is not forwarded",
         lambda s: s.ether(dst=BROADCAST) / IP(src=HOST, dst=FAR) / UDP(), "Ip4LinkBroadcast"),
    Rule("RFC 1812 5.3.4", "nor is a link-layer multicast",
         lambda s: s.ether(dst=GROUP_MAC) / IP(src=HOST, dst=FAR) / UDP(), "Ip4LinkBroadcast"),
    Rule("RFC 1812 5.3.5.1", "limited broadcast in a unicast frame goes nowhere",
         lambda s: udp(s, "255.255.255.255"), "UdpNoPort"),
    Rule("RFC 1812 5.3.5.2", "directed broadcast (RFC 2644: not forwarded)",
         lambda s: udp(s, "10.2.0.255"), "Ip4DirectedBroadcast"),
    Rule("RFC 1812 5.3.7", "to 127/8", lambda s: udp(s, "127.1.1.1"), "Ip4Martian"),
    Rule("RFC 1812 5.3.7", "to net 0", lambda s: udp(s, "0.1.1.1"), "Ip4Martian"),
    Rule("RFC 1812 5.3.7", "to class E", lambda s: udp(s, "250.1.1.1"), "Ip4Martian"),
    Rule("RFC 1812 5.3.7", "from net 0", lambda s: udp(s, src="0.1.1.1"), "Ip4BadSource"),
    Rule("RFC 1812 5.3.7", "from 127/8", lambda s: udp(s, src="127.0.0.9"), "Ip4BadSource"),
    Rule("RFC 1812 5.3.7", "from a group", lambda s: udp(s, src="239.1.1.1"), "Ip4BadSource"),
    Rule("RFC 1812 5.3.7", "from class E", lambda s: udp(s, src="250.1.1.1"), "Ip4BadSource"),
    Rule("RFC 1812 5.3.13.1", "unknown option passes", lambda s: options(s, b"\x5e\4\1\2"),
         passed=passes_options(b"\x5e\4\1\2")),
    Rule("RFC 1812 5.3.13.5", "Record Route", lambda s: options(s, b"\7\x0b\4" + bytes(9)),
         passed=passes_options(b"\7\x0b\x08\x0a\2\0\1\0\0\0\0")),
    Rule("RFC 1812 5.3.13.6", "Timestamp", lambda s: options(s, b"\x44\x0c\5\0" + bytes(8)),
         passed=lambda p: header(p)[20:24] == b"\x44\x0c\x09\0"),
    Rule("RFC 2113 2.1", "Router Alert passes", lambda s: options(s, b"\x94\4\0\0"),
         passed=passes_options(b"\x94\4\0\0")),
]
RULES = RFC_791 + RFC_792 + RFC_826 + RFC_1122 + RFC_1812


@pytest.mark.parametrize("rule", RULES, ids=[r.name for r in RULES])
def test_rule(bench, rule):
    check(bench, rule)


def error_about(bench, packet):
    """The one error that a packet brings, and the packet."""
    _, back, _ = bench.try_out(packet)
    (error,) = [p for p in back if error_of(p)]
    return error[IP], bytes(packet[IP])


def test_what_an_error_is_like(bench):
    """RFC 1812 4.3.2.2 to 4.3.2.5, RFC 792."""
    error, packet = error_about(bench, udp(bench.a, ttl=1, data=bytes(range(200))))
    assert bytes(error.payload)[8:] == packet, "4.3.2.3: as much as fits"
    assert error.src == GW, "4.3.2.4: the interface that it leaves by"
    assert error.tos == 0xc0, "4.3.2.5: precedence 6"
    assert error.ttl == 64, "4.3.2.2: a TTL of our own"
    error, packet = error_about(bench, udp(bench.a, data=bytes(1440), flags="DF"))
    assert len(error) == 576 and bytes(error.payload)[8:] == packet[:548], "4.3.2.3: 576 at most"


def test_fragments_that_we_make(bench):
    """RFC 791 3.2: offsets in multiples of 8, DF clear, the same Identification; of the options only
    those with the copied flag go into all."""
    options_ = b"\x94\4\0\0" + b"\7\7\4\0\0\0\0\0"
    frame = with_options(bench.a, options_)
    whole = bytearray(frame) + bytes(1400)
    length = len(whole) - 14
    head = whole[14:14 + 20 + len(options_)]
    head[2:4] = length.to_bytes(2, "big")
    head[10:12] = b"\0\0"
    head[10:12] = checksum(bytes(head)).to_bytes(2, "big")
    whole[14:14 + len(head)] = head
    drops, _, onward = bench.try_out(bytes(whole))
    assert drops == {}
    first, second = (p[IP] for p in onward)
    assert (first.flags.MF, second.flags.MF, first.frag) == (1, 0, 0)
    first_data, second_data = (bytes(i)[i.ihl * 4:i.len] for i in (first, second))
    assert second.frag * 8 == len(first_data) and first.id == second.id
    assert first_data + second_data == bytes(whole[14 + len(head):])
    assert header(Ether() / first)[20:24] == header(Ether() / second)[20:24] == b"\x94\4\0\0"
    assert b"\7\7\x08" in header(Ether() / first) and b"\7\7" not in header(Ether() / second)


def test_redirects(bench):
    """RFC 1812 5.2.7.2: for the host, of the gateway; and the packet goes on."""
    to_better = udp(bench.a, "10.50.0.1")
    drops, back, _ = bench.try_out(to_better)
    assert drops == {} and not [p for p in back if error_of(p)], "off unless asked for"
    bench.daemon.plx("sysctl", "net.inet.ip.redirect=1")
    try:
        drops, back, _ = bench.try_out(to_better)
        assert drops == {}
        assert [error_of(p) for p in back if error_of(p)] == [(5, 1, BETTER)]
        assert [p for p in back if p.dst == "02:00:00:00:01:09" and IP in p and p[IP].ttl == 63]
        about_an_error = bench.a.ip("10.50.0.1") / ICMP(type=3) / bytes(28)
        _, back, _ = bench.try_out(about_an_error)
        assert not [p for p in back if error_of(p)], "RFC 1122 3.2.2"
    finally:
        bench.daemon.plx("sysctl", "net.inet.ip.redirect=0")


def test_unreachable_host(bench):
    """RFC 792, RFC 1812 5.2.7.1: code 1 when nobody answers ARP."""
    bench.a.tap.drain()
    bench.a.tap.send(udp(bench.a, "10.2.0.99"))
    told = bench.a.tap.receive(lambda f: error_of(Ether(f)) == (3, 1, 0))
    assert told and bytes(Ether(told)[ICMP].payload)[16:20] == b"\x0a\2\0\x63"


def test_time_exceeded_in_reassembly(bench):
    """RFC 792, RFC 1122 3.3.2: code 1, only where the first fragment has come."""
    first = bench.a.ip(GW, proto=17, id=0x99, flags="MF") / bytes(64)
    later = bench.a.ip(GW, proto=17, id=0x9a, frag=8) / bytes(64)
    bench.daemon.plx("sysctl", "net.inet.ip.ipfragttl=1")
    try:
        bench.a.tap.drain()
        for frame in (later, first):
            bench.a.tap.send(frame)
        told = bench.a.tap.receive(lambda f: (error_of(Ether(f)) or (0,))[0] == 11)
        assert error_of(Ether(told))[:2] == (11, 1)
        assert bytes(Ether(told)[ICMP].payload)[4:6] == b"\0\x99"
    finally:
        bench.daemon.plx("sysctl", "net.inet.ip.ipfragttl=30")


def test_arp_packet_for_another_updates_who_is_known(bench):
    """RFC 826 reception: the sender's entry is brought up to date before it is asked whom the packet
    is for; a sender that is not known makes no entry."""
    known, stranger = "10.1.0.66", "10.1.0.67"

    def mac_of(address):
        return next((n["mac"] for n in bench.daemon.plx("arp") if n["address"] == address), None)

    def said(sender, mac, target):
        return bench.a.ether(src=mac, dst=BROADCAST) / ARP(op=1, hwsrc=mac, psrc=sender, pdst=target)

    bench.a.exchange(said(known, "02:00:00:00:06:01", GW))
    wait_for(lambda: mac_of(known) == "02:00:00:00:06:01", "the asker to be known")
    bench.a.exchange(said(stranger, "02:00:00:00:06:03", "10.1.0.77"),
                     said(known, "02:00:00:00:06:02", "10.1.0.77"))
    wait_for(lambda: mac_of(known) == "02:00:00:00:06:02", "its new MAC")
    assert mac_of(stranger) is None
