# SPDX-License-Identifier: BSD-3-Clause
"""Every malformed or unwanted header has a drop reason of its own: it counts the packet once, no
other reason moves, and the daemon goes on.

One row per case: what is wrong, the frame, the reason.
"""
import pytest
from frames import BROADCAST, NO_MAC, icmp_of, insert_options
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.utils import checksum

pytestmark = pytest.mark.inet4

GW, HOST, FAR = "10.1.0.1", "10.1.0.2", "10.2.0.2"


def udp(s, dst=FAR, **fields):
    return s.ip(dst, **fields) / UDP(sport=1000, dport=9) / b"payload"


def raw(s, text):
    return s.ether(type=0x0800) / bytes.fromhex(text)


def patched(frame, at, value):
    """The frame with one byte of the IPv4 header replaced and the checksum made right again."""
    data = bytearray(bytes(frame))
    data[14 + at] = value
    data[24:26] = b"\0\0"
    data[24:26] = checksum(bytes(data[14:34])).to_bytes(2, "big")
    return bytes(data)


def with_options(s, options):
    """A UDP datagram whose IPv4 header has these bytes as options."""
    return insert_options(udp(s), options)


def arp(s, **fields):
    return s.ether(dst=BROADCAST) / ARP(**{"op": 1, "hwsrc": s.mac, "psrc": HOST, "pdst": GW,
                                           **fields})


def truncated(frame, keep):
    return bytes(frame)[:keep]


CASES = [
    ("other station's address", lambda s: s.ether(dst="02:00:00:00:99:99") / IP(src=HOST, dst=FAR),
     "EtherNotForUs"),
    ("unknown EtherType", lambda s: s.ether(type=0x88b5) / b"hello", "EtherUnknownType"),

    ("ARP of 10 bytes", lambda s: truncated(arp(s), 24), "ArpTruncated"),
    ("ARP of 27 bytes", lambda s: truncated(arp(s), 41), "ArpTruncated"),
    ("ARP for token ring", lambda s: arp(s, hwtype=6), "ArpBadHardware"),
    ("ARP, 8-byte hardware addresses", lambda s: arp(s, hwlen=8), "ArpBadHardware"),
    ("ARP for IPv6", lambda s: arp(s, ptype=0x86dd), "ArpBadProtocol"),
    ("ARP, operation 3", lambda s: arp(s, op=3), "ArpBadOperation"),
    ("ARP from no hardware address", lambda s: arp(s, hwsrc=NO_MAC), "ArpBadSender"),
    ("ARP from a group address", lambda s: arp(s, hwsrc="01:00:5e:00:00:01"), "ArpBadSender"),
    ("ARP from another subnet", lambda s: arp(s, psrc="172.16.0.9"), "ArpForeignSender"),
    ("ARP for a third host", lambda s: arp(s, pdst="10.1.0.77"), "ArpNotForUs"),

    ("no IPv4 header at all", lambda s: raw(s, ""), "Ip4Truncated"),
    ("19 bytes", lambda s: truncated(udp(s), 14 + 19), "Ip4Truncated"),
    ("version 6", lambda s: patched(udp(s), 0, 0x65), "Ip4BadVersion"),
    ("version 0", lambda s: patched(udp(s), 0, 0x05), "Ip4BadVersion"),
    ("IHL 4", lambda s: patched(udp(s), 0, 0x44), "Ip4BadIhl"),
    ("IHL 0", lambda s: patched(udp(s), 0, 0x40), "Ip4BadIhl"),
    ("IHL beyond Total Length", lambda s: patched(udp(s), 0, 0x4f), "Ip4BadIhl"),
    ("Total Length beyond the frame", lambda s: udp(s, len=1000), "Ip4BadLength"),
    ("checksum off by one", lambda s: s.ip(FAR, chksum=1) / UDP(), "Ip4BadChecksum"),
    ("from loopback", lambda s: udp(s, src="127.0.0.1"), "Ip4BadSource"),
    ("from a group", lambda s: udp(s, src="224.0.0.1"), "Ip4BadSource"),
    ("from class E", lambda s: udp(s, src="240.0.0.1"), "Ip4BadSource"),
    ("from net 0", lambda s: udp(s, src="0.1.2.3"), "Ip4BadSource"),
    ("from the broadcast address", lambda s: udp(s, src="255.255.255.255"), "Ip4BadSource"),
    ("loose source route", lambda s: with_options(s, b"\x83\x07\x04\x0a\x02\x00\x02"),
     "Ip4SourceRoute"),
    ("strict source route", lambda s: with_options(s, b"\x89\x07\x04\x0a\x02\x00\x02"),
     "Ip4SourceRoute"),
    ("option past the header", lambda s: with_options(s, b"\x07\x27\x04"), "Ip4BadOption"),
    ("option of length 1", lambda s: with_options(s, b"\x07\x01"), "Ip4BadOption"),
    ("option without its length", lambda s: with_options(s, b"\x01\x01\x01\x07"), "Ip4BadOption"),
    ("unicast in a broadcast frame",
     lambda s: s.ether(dst=BROADCAST) / IP(src=HOST, dst=FAR) / UDP(), "Ip4LinkBroadcast"),

    ("no route", lambda s: udp(s, "172.20.0.1"), "Ip4NoRoute"),
    ("blackhole", lambda s: udp(s, "10.66.1.1"), "Ip4Blackhole"),
    ("prohibited", lambda s: udp(s, "10.67.1.1"), "Ip4Prohibited"),
    ("to loopback", lambda s: udp(s, "127.0.0.1"), "Ip4Martian"),
    ("to class E", lambda s: udp(s, "240.1.1.1"), "Ip4Martian"),
    ("to net 0", lambda s: udp(s, "0.1.2.3"), "Ip4Martian"),
    ("to a group", lambda s: s.ether(dst="01:00:5e:00:00:05") / IP(src=HOST, dst="224.0.0.5"),
     "Ip4Multicast"),
    ("directed broadcast", lambda s: udp(s, "10.2.0.255"), "Ip4DirectedBroadcast"),
    ("TTL 1", lambda s: udp(s, ttl=1), "Ip4TtlExpired"),
    ("TTL 0", lambda s: udp(s, ttl=0), "Ip4TtlExpired"),
    ("too big, DF", lambda s: s.ip(FAR, flags="DF") / UDP() / bytes(1390), "Ip4TooBig"),

    ("protocol 253", lambda s: s.ip(GW, proto=253) / b"experiment", "Ip4NoProtocol"),
    ("TCP", lambda s: s.ip(GW) / TCP(dport=22, flags="S"), "Ip4NoProtocol"),
    ("ICMP of 4 bytes", lambda s: s.ip(GW, proto=1) / b"\x08\x00\xf7\xff", "Icmp4Truncated"),
    ("ICMP checksum", lambda s: s.ip(GW) / ICMP(type=8, chksum=1), "Icmp4BadChecksum"),
    ("ICMP timestamp", lambda s: s.ip(GW) / ICMP(type=13), "Icmp4UnknownType"),
    ("echo to the subnet", lambda s: s.ether(dst=BROADCAST) / IP(src=HOST, dst="10.1.0.255")
     / ICMP(type=8), "Icmp4EchoToBroadcast"),
    ("echo to everybody", lambda s: s.ether(dst=BROADCAST) / IP(src=HOST, dst="255.255.255.255")
     / ICMP(type=8), "Icmp4EchoToBroadcast"),
    ("UDP of 4 bytes", lambda s: s.ip(GW, proto=17) / b"\x03\xe8\x00\x09", "UdpTruncated"),
    ("UDP length 7", lambda s: s.ip(GW) / UDP(len=7) / b"x", "UdpBadLength"),
    ("UDP length beyond", lambda s: s.ip(GW) / UDP(len=100) / b"x", "UdpBadLength"),
    ("closed UDP port", lambda s: udp(s, GW), "UdpNoPort"),
    ("ESP without SA", lambda s: s.ip(GW, proto=50) / bytes.fromhex("00001234 00000001")
     / bytes(40), "EspNoSa"),
    ("ESP of 8 bytes", lambda s: s.ip(GW, proto=50) / bytes.fromhex("00001234 00000001"),
     "EspTruncated"),
]


@pytest.mark.parametrize("what, build, reason", CASES, ids=[c[0] for c in CASES])
def test_has_its_own_reason(lab, router, what, build, reason):
    moved, _ = router.drops_of(router.a, build(router.a))
    assert moved == {reason: 1}


def test_a_burst_of_all_of_them(lab, router):
    """All cases at once, in one burst or a few: each counted once, good packets go through."""
    expected = {}
    for _, _, reason in CASES:
        expected[reason] = expected.get(reason, 0) + 1
    sent = []
    for number, (_, build, _) in enumerate(CASES):
        sent += [build(router.a), router.a.ip(GW) / ICMP(type=8, id=77, seq=number)]
    moved, answers = router.drops_of(router.a, *sent)
    assert moved == expected
    replies = [i.seq for i in (icmp_of(f, kind=0) for f in answers) if i and i.id == 77]
    assert replies == list(range(len(CASES)))


FRAGMENTS = [
    ("first of UDP", lambda s: udp(s, GW, flags="MF")),
    ("later of UDP", lambda s: udp(s, GW, frag=10)),
    ("first of ESP", lambda s: s.ip(GW, flags="MF", proto=50) / bytes(64)),
    ("later of an echo", lambda s: s.ip(GW, frag=4, proto=1) / bytes(64)),
]


@pytest.mark.parametrize("what, build", FRAGMENTS, ids=[c[0] for c in FRAGMENTS])
def test_fragment_to_all(lab, tap_link, what, build):
    """Fragments to a broadcast address are not put together. On a tap: the kernel joins fragments
    before AF_PACKET has them."""
    packet = build(tap_link.station_)
    packet[IP].dst = "255.255.255.255"
    moved, _ = tap_link.drops_of(tap_link.station_, packet)
    assert moved == {"Ip4FragmentForUs": 1}


def test_padding_is_cut(lab, router):
    """A short packet in a frame of 60 bytes, as Ethernet has it, arrives without the padding."""
    router.b.tap.drain()
    packet = router.a.ip(FAR, id=0x7777) / UDP(sport=5, dport=9)
    router.a.exchange(bytes(packet) + b"\xee" * 18)
    frame = router.b.tap.receive(lambda f: Ether(f).haslayer(IP) and Ether(f)[IP].id == 0x7777)
    assert frame is not None
    assert len(frame) == 14 + 28
