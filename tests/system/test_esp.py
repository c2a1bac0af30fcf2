# SPDX-License-Identifier: BSD-3-Clause
"""ESP (RFC 4303) against other people's implementations: scapy at the far end of two tunnels, one
with AES-256-GCM and one with AES-128-GCM, and tshark on what was captured."""
import pytest
from cryptography.exceptions import InvalidTag
from frames import icmp_of, moved
from lab import run
from networks import WAN_PEER_MAC
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

pytestmark = pytest.mark.inet4

HOST = "10.1.0.2"
BOTH = pytest.mark.parametrize("bits", [128, 256])


def inner_packet(peer, payload=b"inner", **fields):
    """A UDP datagram from behind the peer to the host behind the gateway. The port is closed, and
    the host's answer, port unreachable, shows that it arrived."""
    return IP(**{"src": peer.inside, "dst": HOST, **fields}) / UDP(sport=4000, dport=9) / payload


def sa_shown(gateway, peer, direction):
    (sa,) = [s for s in gateway.daemon.plx("ipsec", "sa", "show")
             if s["tunnel"] == peer.name and s["direction"] == direction]
    return sa


@BOTH
def test_ours_is_opened_by_scapy(lab, gateway, bits):
    """Sizes around every padding and block boundary: scapy checks the ICV and gets the packet."""
    peer = gateway.peers[bits]
    sizes = [*range(70), *range(70, 1419, 29), 1417, 1418]
    gateway.wan.tap.drain()
    previous = None
    for size in sizes:
        sent = gateway.lan.ip(peer.inside, id=size + 1, ttl=64) / UDP(dport=9) / bytes(size)
        gateway.lan.tap.send(sent)
        outer, esp, inner = peer.receive()
        expected = sent[IP].copy()
        expected.ttl = 63
        assert bytes(inner) == bytes(expected)
        assert (outer.src, outer.dst, outer.proto) == ("192.0.2.1", peer.remote, 50)
        assert previous is None or esp.seq == previous + 1
        previous = esp.seq


@BOTH
def test_a_wrong_key_does_not_open_ours(lab, gateway, bits):
    """The check of the test before can fail."""
    peer = gateway.peers[bits]
    gateway.wan.tap.drain()
    gateway.lan.tap.send(gateway.lan.ip(peer.inside) / UDP(dport=9))
    frame = bytearray(gateway.wan.tap.receive(peer.is_ours))
    frame[-20] ^= 1
    with pytest.raises(Exception) as caught:
        peer.open(bytes(frame))
    assert isinstance(caught.value, InvalidTag) or "tag" in str(caught.value).lower() \
        or "integrity" in type(caught.value).__name__.lower()


@BOTH
def test_scapys_is_opened_by_us(lab, gateway, bits):
    """Sizes around every padding and block boundary arrive at the host, byte for byte."""
    peer = gateway.peers[bits]
    for size in [*range(70), *range(70, 1419, 29), 1417, 1418]:
        inner = inner_packet(peer, bytes(n & 0xff for n in range(size)), id=size + 1)
        gateway.lan.tap.drain()
        gateway.wan.tap.send(peer.seal(inner))
        frame = gateway.lan.tap.receive(
            lambda f: UDP in Ether(f) and Ether(f)[IP].src == peer.inside)
        expected = inner.copy()
        expected.ttl -= 1
        assert frame is not None, f"{size} bytes do not arrive"
        assert bytes(Ether(frame)[IP]) == bytes(expected)


@BOTH
def test_echo_through_the_tunnel(lab, gateway, bits):
    """scapy asks through the tunnel, the host's kernel answers through it."""
    peer = gateway.peers[bits]
    gateway.wan.tap.drain()
    gateway.wan.tap.send(peer.seal(IP(src=peer.inside, dst=HOST) / ICMP(id=7, seq=1) / b"hello"))
    _, _, inner = peer.receive()
    assert (inner.src, inner.dst) == (HOST, peer.inside)
    assert (inner[ICMP].type, inner[ICMP].id, bytes(inner[ICMP].payload)) == (0, 7, b"hello")


def test_outer_header(lab, gateway):
    """DSCP and ECN copied, DF set, a TTL of its own, checksum right (RFC 4301 5.1.2, RFC 6040)."""
    peer = gateway.peers[256]
    gateway.wan.tap.drain()
    gateway.lan.tap.send(gateway.lan.ip(peer.inside, tos=0xb9, ttl=3) / UDP(dport=9))
    outer, _, inner = peer.receive()
    assert (outer.tos, str(outer.flags), outer.ttl) == (0xb9, "DF", 64)
    assert inner.ttl == 2
    fresh = outer.copy()
    del fresh.chksum
    assert IP(bytes(fresh)).chksum == outer.chksum


def test_congestion_mark_is_carried_in(lab, gateway):
    """CE on the outer header of an ECN-capable packet reaches the host (RFC 6040 4.2)."""
    peer = gateway.peers[256]
    frame = peer.seal(inner_packet(peer, tos=2, id=0x6040))
    frame[IP].tos = 3
    del frame[IP].chksum
    gateway.lan.tap.drain()
    gateway.wan.tap.send(frame)
    got = gateway.lan.tap.receive(lambda f: IP in Ether(f) and Ether(f)[IP].id == 0x6040)
    assert Ether(got)[IP].tos == 3


def test_path_mtu_of_the_tunnel(lab, gateway):
    """What does not fit with the ESP overhead is refused with the tunnel's MTU (RFC 4301 8)."""
    peer = gateway.peers[256]
    mtu = next(i["mtu"] for i in gateway.daemon.plx("ifconfig") if i["name"] == peer.name)
    told = gateway.inside.ping(peer.inside, "-s", 1472, "-M", "do", "-W", 1, check=False).stdout
    assert f"(mtu = {mtu})" in told
    gateway.inside.ip("route", "flush", "cache")
    gateway.wan.tap.drain()
    gateway.lan.tap.send(gateway.lan.ip(peer.inside, flags="DF") / UDP(dport=9) / bytes(mtu - 28))
    outer, _, inner = peer.receive()
    assert inner.len == mtu
    assert outer.len <= 1500


def tshark_verdicts(gateway, path):
    """[(SPI, ICV good, ICV bad, source addresses)] by tshark, with all keys."""
    def sa(peer):
        return (f'"IPv4","*","*","0x{peer.spi_from_gateway:08x}",'
                f'"AES-GCM with 16 octet ICV [RFC4106]","0x{peer.key_from_gateway.hex()}",'
                f'"NULL",""')

    options = ["esp.enable_encryption_decode:TRUE", "esp.enable_authentication_check:TRUE",
               *(f"uat:esp_sa:{sa(peer)}" for peer in gateway.peers.values())]
    fields = ["esp.spi", "esp.icv_good", "esp.icv_bad", "ip.src"]
    done = run("tshark", "-n", "-r", path, "-T", "fields",
               *(word for o in options for word in ("-o", o)),
               *(word for f in fields for word in ("-e", f)))
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_tshark_agrees(lab, gateway):
    """tshark decrypts every packet of ours and finds its ICV good, and finds a forged one bad."""
    frames = []
    gateway.wan.tap.drain()
    for peer in gateway.peers.values():
        for size in (0, 1, 2, 3, 64, 500, 1418):
            gateway.lan.tap.send(gateway.lan.ip(peer.inside) / UDP(sport=9, dport=9) / bytes(size))
            frames.append(gateway.wan.tap.receive(peer.is_ours))
    forged = bytearray(frames[0])
    forged[-1] ^= 1
    path = lab.folder("tshark") / "ours.pcap"
    wrpcap(str(path), [Ether(f) for f in [*frames, bytes(forged)]])
    *ours, last = tshark_verdicts(gateway, path)
    assert len(ours) == len(frames)
    assert all(good == "1" and bad == "0" and source == "192.0.2.1,10.1.0.2"
               for _, good, bad, source in ours), ours
    assert last[1:3] == ["0", "1"]


def forged_icv(peer):
    frame = bytearray(bytes(peer.seal(inner_packet(peer))))
    frame[-1] ^= 1
    return bytes(frame)


def forged_text(peer):
    frame = bytearray(bytes(peer.seal(inner_packet(peer))))
    frame[14 + 20 + 16] ^= 0x80
    return bytes(frame)


def forged_sequence(peer):
    """The number is authenticated, too: moved up by one, it must not open."""
    frame = bytearray(bytes(peer.seal(inner_packet(peer), sequence=peer.next_sequence(2) - 1)))
    frame[14 + 20 + 7] += 1
    return bytes(frame)


def plaintext(peer, **trailer):
    inner = bytes(inner_packet(peer))
    return inner + peer.trailer(len(inner), **trailer)


REJECTED = [
    ("ICV forged", forged_icv, "EspBadIcv"),
    ("text forged", forged_text, "EspBadIcv"),
    ("number forged", forged_sequence, "EspBadIcv"),
    ("another key", lambda p: p.seal_bytes(plaintext(p), key=p.key_from_gateway), "EspBadIcv"),
    ("unknown SPI", lambda p: p.seal_bytes(plaintext(p), spi=0x9999), "EspNoSa"),
    ("SPI 0", lambda p: p.seal_bytes(plaintext(p), spi=0), "EspNoSa"),
    ("SPI of the other direction", lambda p: p.seal_bytes(plaintext(p), spi=p.spi_from_gateway),
     "EspNoSa"),
    ("another peer's address", lambda p: p.seal_bytes(plaintext(p), src="192.0.2.4"),
     "EspWrongEndpoint"),
    ("header only", lambda p: p.outer(p.spi_to_gateway.to_bytes(4, "big") + b"\0\0\xff\0"),
     "EspTruncated"),
    ("no payload at all", lambda p: p.outer(b""), "EspTruncated"),
    ("31 bytes", lambda p: p.outer(p.spi_to_gateway.to_bytes(4, "big") + bytes(27)),
     "EspTruncated"),
    ("not a multiple of four", lambda p: p.seal_bytes(plaintext(p) + b"\x01"), "EspBadLength"),
    ("padding 0, 0, 0", lambda p: p.seal_bytes(plaintext(p, pad=bytes(3) if len(bytes(
        inner_packet(p))) % 4 == 3 else bytes(1 + (-(len(bytes(inner_packet(p))) + 3)) % 4))),
     "EspBadPadding"),
    ("pad length beyond the payload",
     lambda p: p.seal_bytes(bytes(inner_packet(p, b"xx!"))[:-1] + b"\xff\x04"), "EspBadPadding"),
    ("next header 59", lambda p: p.seal_bytes(plaintext(p, next_header=59)), "EspDummy"),
    ("next header 41", lambda p: p.seal_bytes(plaintext(p, next_header=41)), "EspBadNextHeader"),
    ("next header 17", lambda p: p.seal_bytes(plaintext(p, next_header=17)), "EspBadNextHeader"),
    ("nothing inside", lambda p: p.seal_bytes(p.trailer(0)), "EspBadInner"),
    ("inner version 6", lambda p: p.seal_bytes(b"\x60" + plaintext(p)[1:]), "EspBadInner"),
    ("inner longer than what is there", lambda p: p.seal(inner_packet(p, len=1000)), "EspBadInner"),
    ("inner source outside", lambda p: p.seal(inner_packet(p, src="10.9.0.1")),
     "EspSelectorMismatch"),
    ("inner source of the other tunnel",
     lambda p: p.seal(inner_packet(p, src="10.2.0.1" if p.name == "ipsec1" else "10.3.0.1")),
     "EspSelectorMismatch"),
    ("inner destination outside", lambda p: p.seal(inner_packet(p, dst="192.0.2.1")),
     "EspSelectorMismatch"),
]


@BOTH
@pytest.mark.parametrize("what, build, reason", REJECTED, ids=[c[0] for c in REJECTED])
def test_rejected(lab, gateway, bits, what, build, reason):
    drops, _ = gateway.drops_of(gateway.wan, build(gateway.peers[bits]))
    assert drops == {reason: 1}


@BOTH
def test_rejected_is_counted_at_its_sa(lab, gateway, bits):
    peer = gateway.peers[bits]
    before = sa_shown(gateway, peer, "in")
    good = peer.seal(inner_packet(peer))
    gateway.wan.exchange(good, good, forged_icv(peer),
                         peer.seal(inner_packet(peer, src="10.9.0.1")),
                         peer.seal_bytes(plaintext(peer, next_header=41)))
    after = sa_shown(gateway, peer, "in")
    assert after["packets"] - before["packets"] == 1
    assert moved(before["rejected"], after["rejected"]) == {
        "replayed": 1, "bad_icv": 1, "malformed": 1, "selector_mismatch": 1}


@BOTH
def test_esp_in_esp(lab, gateway, bits):
    """What comes out of a tunnel and is ESP for us again goes no further."""
    peer = gateway.peers[bits]
    gateway.daemon.plx("ipsec", "tunnel", "show")
    inner = IP(src=peer.inside, dst="10.1.0.1", proto=50) / bytes.fromhex("00001234 00000001") \
        / bytes(40)
    drops, _ = gateway.drops_of(gateway.wan, peer.seal(inner))
    assert drops == {"EspNested": 1}


@BOTH
def test_replay_window(lab, gateway, bits):
    """64 wide (RFC 4303 3.4.3): each number once, late ones within the window, none left of it."""
    peer = gateway.peers[bits]
    top = peer.next_sequence(1000)

    def send(*sequences):
        frames = [peer.seal(inner_packet(peer), sequence=n) for n in sequences]
        return gateway.drops_of(gateway.wan, *frames)[0]

    assert send(top) == {}
    assert send(top) == {"EspReplayed": 1}
    assert send(top - 63, top - 1, top - 32) == {}
    assert send(top - 63, top - 1, top - 32) == {"EspReplayed": 3}
    assert send(top - 500) == {"EspReplayed": 1}
    assert send(0) == {"EspReplayed": 1}
    assert send(top + 1, top + 1, top + 2) == {"EspReplayed": 1}
    peer.next_sequence(1000)


def test_a_forged_number_does_not_move_the_window(lab, gateway):
    """An attacker who sends a high number with a bad ICV must not shut the peer out."""
    peer = gateway.peers[256]
    forged = bytearray(bytes(peer.seal(inner_packet(peer), sequence=0xf0000000)))
    forged[-1] ^= 1
    assert gateway.drops_of(gateway.wan, bytes(forged))[0] == {"EspBadIcv": 1}
    assert gateway.drops_of(gateway.wan, peer.seal(inner_packet(peer)))[0] == {}


def test_ttl_ends_before_the_tunnel(lab, gateway):
    """TTL 1 into the tunnel: time exceeded from the gateway, nothing on the cable."""
    peer = gateway.peers[256]
    drops, answers = gateway.drops_of(gateway.lan,
                                      gateway.lan.ip(peer.inside, ttl=1) / UDP(dport=9))
    assert drops == {"Ip4TtlExpired": 1}
    assert any(icmp_of(f, kind=11) for f in answers)


def test_no_outbound_sa(lab, gateway):
    """Without its SA a tunnel sends nothing, least of all in the clear; with a new one it does."""
    peer = gateway.peers[256]
    spi = peer.spi_from_gateway
    gateway.daemon.plx("ipsec", "sa", "del", peer.name, "out", str(spi))
    try:
        gateway.wan.tap.drain()
        drops, _ = gateway.drops_of(gateway.lan, gateway.lan.ip(peer.inside) / UDP(dport=9))
        assert drops == {"EspNoOutboundSa": 1}
        # IP only: an address is announced by ARP for two seconds after the start.
        sent = gateway.wan.tap.receive(
            lambda f: IP in Ether(f) and Ether(f).src != WAN_PEER_MAC, limit_s=0.2
        )
        assert sent is None
    finally:
        gateway.daemon.plx("ipsec", "sa", "add", peer.name, "out", str(spi), "aes-gcm-256", "-",
                           input=peer.key_from_gateway.hex())
    gateway.wan.tap.drain()
    gateway.lan.tap.send(gateway.lan.ip(peer.inside) / UDP(dport=9))
    _, esp, _ = peer.receive()
    assert esp.seq == 1


def test_no_inbound_sa(lab, gateway):
    peer = gateway.peers[128]
    gateway.daemon.plx("ipsec", "sa", "del", peer.name, "in", str(peer.spi_to_gateway))
    try:
        assert gateway.drops_of(gateway.wan, peer.seal(inner_packet(peer)))[0] == {"EspNoSa": 1}
    finally:
        gateway.daemon.plx("ipsec", "sa", "add", peer.name, "in", str(peer.spi_to_gateway),
                           "aes-gcm-128", "-", input=peer.key_to_gateway.hex())
    assert gateway.drops_of(gateway.wan, peer.seal(inner_packet(peer)))[0] == {}
