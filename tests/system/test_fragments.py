# SPDX-License-Identifier: BSD-3-Clause
"""Fragments, with kernels on both sides (RFC 791, RFC 815, RFC 1122 3.3.2, RFC 5722).

On DPDK's taps: where a daemon is on AF_PACKET, the kernel joins fragments before it has them.
"""
import random

import pytest
from frames import icmp_of
from lab import wait_for
from networks import TapRouter
from scapy.layers.inet import ICMP, IP, UDP, fragment
from scapy.layers.l2 import Ether
from scapy.packet import Raw

pytestmark = pytest.mark.inet4

GW_A, HOST_A, HOST_B = "10.1.0.1", "10.1.0.2", "10.2.0.2"
SIZES = [0, 1, 1271, 1272, 1273, 1472, 1473, 2960, 2961, 8000, 30000, 65500]
NO_LOSS = " 0% packet loss"


@pytest.fixture(scope="module")
def taps(lab):
    """The two of them as TapRouter draws it."""
    return TapRouter(lab)


@pytest.fixture(autouse=True)
def _nothing_is_left(request):
    """Each test leaves no fragment behind."""
    yield
    if "taps" in request.fixturenames:
        taps = request.getfixturevalue("taps")
        taps.daemon.plx("sysctl", "net.inet.ip.ipfragttl=1")
        wait_for(lambda: taps.fragments() == 0, "all fragments to be gone")
        taps.daemon.plx("sysctl", "net.inet.ip.ipfragttl=30")


@pytest.mark.parametrize("size", SIZES)
def test_ping_to_us(lab, taps, size):
    assert NO_LOSS in taps.host_a.ping(GW_A, "-s", size, "-i", 0.05, "-W", 5, count=4).stdout


@pytest.mark.parametrize("size", SIZES)
def test_ping_through_us(lab, taps, size):
    """MTU 1500 on one side, 1300 on the other: requests are cut again, DF is clear."""
    for host, target in ((taps.host_a, HOST_B), (taps.host_b, HOST_A)):
        ping = host.ping(target, "-M", "dont", "-s", size, "-i", 0.05, "-W", 5, count=4)
        assert NO_LOSS in ping.stdout


def echo(taps, size, number):
    """An echo request of the station in fragments of 1,000 bytes, and what it must be answered."""
    data = bytes(random.Random(size).randbytes(size))
    whole = IP(src=HOST_A, dst=GW_A, id=number) / ICMP(type=8, id=number, seq=7) / Raw(data)
    return [taps.a.ether() / f for f in fragment(whole, fragsize=1000)], data


def answers_to(taps, frames, number):
    """The data of the replies to `number` that the station had, joined by scapy's side."""
    seen = taps.a.exchange(*frames)
    parts = {}
    for frame in seen:
        packet = Ether(frame)
        if IP in packet and packet[IP].proto == 1 and packet[IP].src == GW_A:
            parts.setdefault(packet[IP].id, {})[packet[IP].frag * 8] = bytes(packet[IP].payload)
    joined = [b"".join(p[at] for at in sorted(p)) for p in parts.values()]
    return [message[8:] for message in joined
            if message[:1] == b"\0" and int.from_bytes(message[4:6], "big") == number]


@pytest.mark.parametrize("size", [1500, 9000, 40000])
def test_all_orders(lab, taps, size):
    shuffle = random.Random(1)
    for number in range(0x100, 0x10a):
        frames, data = echo(taps, size, number)
        if number == 0x101:
            frames.reverse()
        elif number > 0x101:
            shuffle.shuffle(frames)
        assert answers_to(taps, frames, number) == [data]


def test_duplicates_do_no_harm(lab, taps):
    frames, data = echo(taps, 5000, 0x200)
    before = taps.daemon.drops()
    assert answers_to(taps, frames[:3] + frames[:3] + frames[3:], 0x200) == [data]
    assert taps.moved_since(before) == {"FragmentDuplicate": 3}


def test_an_overlap_ends_the_datagram(lab, taps):
    """RFC 5722 section 4: neither it nor what still comes of it is put together."""
    frames, _ = echo(taps, 5000, 0x201)
    wrong = frames[1].copy()
    wrong[IP].frag -= 1
    del wrong[IP].chksum
    before = taps.daemon.drops()
    assert answers_to(taps, [*frames[:2], wrong, *frames[2:], *frames], 0x201) == []
    assert taps.moved_since(before) == {"FragmentOverlap": 3 + len(frames[2:]) + len(frames)}


def test_what_does_not_become_whole_is_told(lab, taps):
    """RFC 1122 section 3.3.2: ICMP time exceeded, code 1, with the first fragment's beginning."""
    frames, _ = echo(taps, 3000, 0x202)
    taps.daemon.plx("sysctl", "net.inet.ip.ipfragttl=1")
    taps.a.tap.drain()
    taps.a.tap.send(frames[0])
    told = taps.a.tap.receive(lambda f: icmp_of(f, kind=11) is not None)
    assert told and icmp_of(told).code == 1
    assert bytes(icmp_of(told).payload)[:28] == bytes(frames[0][IP])[:28]


def test_dont_fragment_is_told(lab, taps):
    told = taps.host_a.ping(HOST_B, "-M", "do", "-s", 1400, check=False).stdout
    assert "mtu = 1300" in told or "mtu=1300" in told


def test_a_flood_of_fragments_beside_a_ping(lab, taps):
    """First fragments of datagrams that never become whole, from one source and from many: a
    kernel's long pings go on, and what is kept stays within its limit."""
    def flood(source):
        return [bytes(taps.a.ether() / IP(src=source(n), dst=GW_A, id=n & 0xffff, flags="MF")
                      / UDP(sport=1, dport=9) / Raw(bytes(64))) for n in range(3000)]

    for source in (lambda n: "10.1.0.77", lambda n: f"10.1.{1 + n // 250}.{1 + n % 250}"):
        frames = flood(source)
        ping = taps.host_a.start("ping", "-n", "-q", "-c", "10", "-i", "0.2", "-W", "5", "-s",
                                 "20000", GW_A, stdout=-1, text=True)
        while ping.poll() is None:
            for frame in frames[:300]:
                taps.a.tap.send(frame)
            frames = frames[300:] + frames[:300]
            assert taps.fragments() <= taps.fragment_limit()
        assert NO_LOSS in ping.stdout.read()
    assert taps.daemon.drops()["FragmentEvicted"] > 0
