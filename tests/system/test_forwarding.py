# SPDX-License-Identifier: BSD-3-Clause
"""IPv4 forwarding and ICMP, with kernels on both sides (RFC 1812)."""
import socket

import pytest
from frames import BROADCAST, icmp_of
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether

pytestmark = pytest.mark.inet4

GW_A, HOST_A, HOST_B = "10.1.0.1", "10.1.0.2", "10.2.0.2"


def errors_in(frames):
    """(type, code) of every ICMP error of the gateway's among the frames."""
    found = [icmp_of(f) for f in frames if IP in Ether(f) and Ether(f)[IP].src == GW_A]
    return [(i.type, i.code) for i in found if i is not None and i.type in (3, 4, 5, 11, 12)]


@pytest.mark.parametrize("size", [0, 1, 56, 512, 1372])
def test_ping_across(lab, router, size):
    assert " 0% packet loss" in router.host_a.ping(HOST_B, "-s", size, "-i", 0.01, count=5).stdout
    assert " 0% packet loss" in router.host_b.ping(HOST_A, "-s", size, "-i", 0.01, count=5).stdout


def test_ttl_and_checksum(lab, router):
    """TTL less one, the header checksum follows, the rest is untouched (RFC 1812 5.3.1)."""
    router.b.tap.drain()
    sent = router.a.ip(HOST_B, ttl=17, id=0x1234, tos=0x48) / UDP(sport=7, dport=9) / b"as it was"
    router.a.exchange(sent)
    frame = router.b.tap.receive(lambda f: Ether(f).haslayer(IP) and Ether(f)[IP].id == 0x1234)
    got = Ether(frame)
    expected = sent[IP].copy()
    expected.ttl = 16
    del expected.chksum
    assert bytes(got[IP]) == bytes(expected)
    assert (got.src, got.dst) == (router.b.gateway_mac, router.b.mac)


def test_packets_keep_their_order(lab, router):
    router.b.tap.drain()
    router.a.exchange(*[router.a.ip(HOST_B, id=n) / UDP(sport=7, dport=99) for n in range(1, 501)])
    got = []

    def collect(frame):
        packet = Ether(frame)
        if UDP in packet and packet[UDP].dport == 99:
            got.append(packet[IP].id)
        return len(got) == 500

    assert router.b.tap.receive(collect)
    assert got == list(range(1, 501))


def test_ttl_exceeded(lab, router):
    told = router.host_a.ping(HOST_B, "-t", 1, check=False).stdout
    assert f"From {GW_A} icmp_seq=1 Time to live exceeded" in told


def test_ttl_exceeded_quotes_the_packet(lab, router):
    sent = router.a.ip(HOST_B, ttl=1, id=99) / UDP(sport=700, dport=9) / b"quoted"
    (frame,) = [f for f in router.a.exchange(sent) if icmp_of(f, kind=11)]
    got = Ether(frame)
    assert (got[IP].src, got[IP].dst, got[ICMP].code) == (GW_A, HOST_A, 0)
    assert bytes(got[ICMP].payload)[:28] == bytes(sent[IP])[:28]
    assert IP(bytes(got[IP])).chksum == got[IP].chksum


def test_no_route(lab, router):
    told = router.host_a.ping("172.20.0.1", check=False).stdout
    assert f"From {GW_A} icmp_seq=1 Destination Net Unreachable" in told \
        or f"From {GW_A} icmp_seq=1 Destination Host Unreachable" in told


def test_prohibited_route(lab, router):
    told = router.host_a.ping("10.67.0.1", check=False).stdout
    assert f"From {GW_A} icmp_seq=1 Packet filtered" in told \
        or f"From {GW_A} icmp_seq=1 Destination Net Prohibited" in told


def test_blackhole_route_says_nothing(lab, router):
    answers = router.a.exchange(router.a.ip("10.66.0.1") / ICMP(type=8, id=5))
    assert errors_in(answers) == []


def test_path_mtu(lab, router):
    """Too big with DF: the MTU of the next hop comes back, and the kernel learns it (RFC 1191)."""
    told = router.host_a.ping(HOST_B, "-s", 1452, "-M", "do", check=False).stdout
    assert f"From {GW_A} icmp_seq=1 Frag needed and DF set (mtu = {router.MTU_B})" in told
    (route,) = router.host_a.ip_json("route", "get", HOST_B)
    assert {"mtu": router.MTU_B} in route["metrics"] or route["metrics"][0]["mtu"] == router.MTU_B
    router.host_a.ip("route", "flush", "cache")


@pytest.mark.parametrize("over", [0, 1])
def test_mtu_limit_is_exact(lab, router, over):
    moved, answers = router.drops_of(
        router.a, router.a.ip(HOST_B, flags="DF") / UDP(dport=9) / bytes(router.MTU_B - 28 + over))
    assert moved == ({"Ip4TooBig": 1} if over else {})
    assert errors_in(answers) == ([(3, 4)] if over else [])


def test_echo_to_the_gateway_in_every_size(lab, router):
    """0 to 1472 bytes, each answered with the same bytes."""
    def request(size):
        return router.a.ip(GW_A) / ICMP(type=8, id=0x55, seq=size) / bytes(n & 0xff
                                                                           for n in range(size))

    for first in range(0, 1473, 128):
        sizes = range(first, min(first + 128, 1473))
        answers = router.a.exchange(*map(request, sizes))
        replies = [i for i in (icmp_of(f, kind=0) for f in answers) if i and i.id == 0x55]
        assert [i.seq for i in replies] == list(sizes)
        for icmp in replies:
            sent = bytes(request(icmp.seq)[ICMP])
            assert bytes(icmp)[4:len(sent)] == sent[4:]


def test_ping_from_both_kernels_to_both_addresses(lab, router):
    for host in (router.host_a, router.host_b):
        for address in (GW_A, "10.2.0.1"):
            host.ping(address, "-i", 0.01, count=3)


def test_closed_udp_port(lab, router):
    """The kernel turns port unreachable into ECONNREFUSED."""
    with router.host_a.entered():
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with udp:
        udp.settimeout(30)
        udp.connect((GW_A, 9))
        udp.send(b"anybody there?")
        with pytest.raises(ConnectionRefusedError):
            udp.recv(100)


def test_unknown_protocol(lab, router):
    answers = router.a.exchange(router.a.ip(GW_A, proto=253) / b"experiment")
    assert errors_in(answers) == [(3, 2)]


def test_errors_are_limited(lab, router):
    """net.inet.icmp.errppslimit bounds the errors sent, not the packets counted."""
    old = router.daemon.plx("sysctl", "net.inet.icmp.errppslimit")
    router.daemon.plx("sysctl", "net.inet.icmp.errppslimit=10")
    try:
        sent = [router.a.ip(HOST_B, ttl=1, id=n) / UDP(dport=9) for n in range(1, 1001)]
        moved, answers = router.drops_of(router.a, *sent)
    finally:
        router.daemon.plx("sysctl", f"net.inet.icmp.errppslimit={sysctl_value(old)}")
    assert moved == {"Ip4TtlExpired": 1000}
    assert 1 <= len(errors_in(answers)) < 500


def sysctl_value(answer):
    (node,) = answer if isinstance(answer, list) else [answer]
    return node["value"]


SILENT = [
    ("an ICMP error", lambda s: s.ip(HOST_B, ttl=1) / ICMP(type=3, code=1)
     / IP(src=HOST_B, dst=HOST_A) / UDP()),
    ("a link broadcast", lambda s: s.ether(dst=BROADCAST) / IP(src=HOST_A, dst=HOST_B, ttl=1)
     / UDP()),
    ("a broadcast", lambda s: s.ether(dst=BROADCAST) / IP(src=HOST_A, dst="10.1.0.255")
     / UDP(dport=9)),
    ("a group", lambda s: s.ether(dst="01:00:5e:00:00:09") / IP(src=HOST_A, dst="224.0.0.9", ttl=1)
     / UDP(dport=9)),
    ("no single source", lambda s: s.ip(HOST_B, ttl=1, src="10.1.0.255") / UDP(dport=9)),
    ("a bad header", lambda s: s.ip(HOST_B, ttl=1, chksum=7) / UDP(dport=9)),
]


@pytest.mark.parametrize("what, build", SILENT, ids=[c[0] for c in SILENT])
def test_no_error_about(lab, router, what, build):
    """RFC 1812 4.3.2.7: what must not be answered with an ICMP error."""
    drops, answers = router.drops_of(router.a, build(router.a))
    assert drops, "it did not arrive"
    assert errors_in(answers) == []


def test_no_error_about_a_later_fragment(lab, tap_link):
    """Only the first fragment is answered (RFC 1812 4.3.2.7)."""
    s = tap_link.station_
    for fields, told in (({"flags": "MF"}, [(11, 0)]), ({"frag": 20}, [])):
        drops, answers = tap_link.drops_of(s, s.ip(HOST_B, ttl=1, **fields) / UDP(dport=9)
                                           / bytes(64))
        assert drops == {"Ip4TtlExpired": 1}
        assert errors_in(answers) == told


def test_fragments_are_forwarded(lab, tap_link):
    """Each by itself, offset and flags untouched."""
    s = tap_link.station_
    sent = [s.ip(HOST_B, id=7, proto=17, flags="MF") / bytes(64),
            s.ip(HOST_B, id=7, proto=17, flags="MF", frag=8) / bytes(64),
            s.ip(HOST_B, id=7, proto=17, frag=16) / bytes(10)]
    drops, answers = tap_link.drops_of(s, *sent)
    assert drops == {}
    got = [(p.frag, str(p.flags), p.len) for p in (Ether(f)[IP] for f in answers if IP in Ether(f))
           if p.dst == HOST_B]
    assert got == [(0, "MF", 84), (8, "MF", 84), (16, "", 30)]


def test_forwarding_off(lab, router):
    router.daemon.plx("sysctl", "net.inet.ip.forwarding=0")
    try:
        moved, _ = router.drops_of(router.a, router.a.ip(HOST_B) / UDP(dport=9))
        assert moved == {"Ip4NotForwarding": 1}
    finally:
        router.daemon.plx("sysctl", "net.inet.ip.forwarding=1")
    router.host_a.ping(HOST_B)
