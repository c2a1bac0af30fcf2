# SPDX-License-Identifier: BSD-3-Clause
"""ARP (RFC 826, RFC 5227) against a kernel, and against scapy where the kernel behaves too well."""
import contextlib

import pytest
from frames import BROADCAST, NO_MAC, moved
from lab import wait_for
from networks import Link, interface
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import ARP, Ether

pytestmark = pytest.mark.inet4

GW, HOST, HOLD_LIMIT = "10.1.0.1", "10.1.0.2", 1000


def entry(daemon, address):
    """What plx shows of a neighbour, or None."""
    return next((n for n in daemon.plx("arp", "show") if n["address"] == address), None)


def state(daemon, address):
    return (entry(daemon, address) or {}).get("state")


def kernel_entry(host, address):
    (found,) = host.ip_json("neigh", "show", address) or [{}]
    return found


@contextlib.contextmanager
def sysctl(daemon, **values):
    """Sets net.inet.arp.NAME for the block."""
    old = {n["name"]: n["value"] for n in daemon.plx("sysctl", "net.inet.arp")}
    for name, value in values.items():
        daemon.plx("sysctl", f"net.inet.arp.{name}={value}")
    try:
        yield
    finally:
        for name in values:
            daemon.plx("sysctl", f"net.inet.arp.{name}={old[f'net.inet.arp.{name}']}")


def arp_of(frame):
    packet = Ether(frame)
    return packet[ARP] if ARP in packet else None


def test_kernel_learns_us_and_we_learn_it(lab, link):
    host, daemon = link.neighbor, link.daemon
    host.ip("neigh", "flush", "all")
    host.ping(GW)
    assert kernel_entry(host, GW)["lladdr"] == interface(daemon, "lan0")["mac"]
    wait_for(lambda: state(daemon, HOST) == "reachable", "the host to be reachable")
    assert entry(daemon, HOST)["mac"] == host.mac("eth0")


def test_we_ask_the_kernel(lab, link):
    """Forgotten, a neighbour is asked for again when it is needed; the first packet is not lost."""
    link.daemon.plx("arp", "del", "lan0", HOST)
    assert entry(link.daemon, HOST) is None
    answer = link.daemon.plx("ping", "-c", "1", HOST)
    assert answer
    wait_for(lambda: state(link.daemon, HOST) == "reachable", "the host to be reachable")


def test_reply_is_well_formed(lab, link):
    s = link.station_
    frames = s.exchange(s.ether(dst=BROADCAST) / ARP(op=1, hwsrc=s.mac, psrc=HOST, hwdst=NO_MAC,
                                                     pdst=GW))
    (reply,) = [a for a in map(arp_of, frames) if a is not None and a.op == 2]
    assert (reply.hwsrc, reply.psrc, reply.hwdst, reply.pdst) == (s.gateway_mac, GW, s.mac, HOST)


def test_probe_is_answered_and_nothing_learnt(lab, link):
    """A host that tests whether an address is free (RFC 5227 1.1) has none to be learnt."""
    s = link.station_
    frames = s.exchange(s.ether(dst=BROADCAST) / ARP(op=1, hwsrc=s.mac, psrc="0.0.0.0", pdst=GW))
    assert any(a is not None and a.op == 2 for a in map(arp_of, frames))
    assert entry(link.daemon, "0.0.0.0") is None


def test_unasked_reply_makes_no_entry(lab, link):
    s = link.station_
    drops, _ = link.drops_of(s, s.ether() / ARP(op=2, hwsrc=s.mac, psrc="10.1.0.50", hwdst=s.mac,
                                                pdst=GW))
    assert drops == {}
    assert entry(link.daemon, "10.1.0.50") is None


def test_new_mac_of_the_kernel_is_followed(lab, link):
    """The kernel changes its MAC and says so; we go on with the new one."""
    host, daemon = link.neighbor, link.daemon
    old = host.mac("eth0")
    host.sysctl("net.ipv4.conf.eth0.arp_notify", 1)
    host.ping(GW)
    try:
        host.ip("link", "set", "eth0", "address", "02:00:00:00:0a:0b")
        wait_for(lambda: entry(daemon, HOST)["mac"] == "02:00:00:00:0a:0b", "the new MAC")
        host.ping(GW)
    finally:
        host.ip("link", "set", "eth0", "address", old)
    wait_for(lambda: entry(daemon, HOST)["mac"] == old, "the old MAC")
    host.ping(GW)


def test_conflict_is_defended(lab, link):
    """Somebody else claims our address: counted, and our claim renewed (RFC 5227 2.4)."""
    s = link.station_
    drops, frames = link.drops_of(s, s.ether(dst=BROADCAST) / ARP(
        op=1, hwsrc="02:00:00:00:66:66", psrc=GW, pdst=GW))
    assert drops == {"ArpConflict": 1}
    seen = [*map(arp_of, frames)]

    def defence(arp):
        return arp is not None and (arp.psrc, arp.pdst, arp.hwsrc) == (GW, GW, s.gateway_mac)

    assert any(map(defence, seen)) or s.tap.receive(lambda f: defence(arp_of(f)))


def test_address_is_announced_at_start(lab):
    """A kernel that knows an old MAC for our address is put right by the announcement."""
    class Late(Link):
        def start(self, config):
            self.neighbor.ip("neigh", "replace", GW, "lladdr", "02:00:00:00:99:99", "dev", "eth0",
                             "nud", "stale")
            self.early_tap = self.neighbor.tap("eth0")
            super().start(config)

    link = Late(lab, "late")
    mac = interface(link.daemon, "lan0")["mac"]

    def announcement(frame):
        arp = arp_of(frame)
        return arp is not None and (arp.psrc, arp.pdst, arp.hwsrc) == (GW, GW, mac)

    assert link.early_tap.receive(announcement)
    wait_for(lambda: kernel_entry(link.neighbor, GW)["lladdr"] == mac, "the kernel to follow")
    link.daemon.stop()


def test_host_that_does_not_answer(lab, router):
    """Host unreachable from the gateway, each packet counted, and the entry says failed."""
    before = router.daemon.drops()
    told = router.host_a.ping("10.2.0.99", "-W", 20, "-i", 0.2, count=3, check=False).stdout
    assert "From 10.1.0.1 icmp_seq=1 Destination Host Unreachable" in told
    wait_for(lambda: moved(before, router.daemon.drops()) == {"NeighborFailed": 3},
             "three packets to be dropped")
    assert state(router.daemon, "10.2.0.99") == "failed"
    assert router.daemon.plx("stats")["packets"]["held"] == 0


def test_waiting_packets_are_bounded(lab, router):
    """A thousand packets to a host that does not exist: some wait, the others are counted at once;
    in the end every one is counted."""
    before = router.daemon.drops()
    a = router.a
    a.exchange(*[a.ip("10.2.0.98", id=n) / UDP(dport=9) for n in range(HOLD_LIMIT)])
    grown = moved(before, router.daemon.drops())
    assert grown.get("NeighborHoldFull", 0) > HOLD_LIMIT / 2
    wait_for(lambda: sum(moved(before, router.daemon.drops()).values()) == HOLD_LIMIT,
             "all packets to be dropped")
    assert set(moved(before, router.daemon.drops())) == {"NeighborHoldFull", "NeighborFailed"}


def test_waiting_packets_go_when_the_host_answers(lab, router):
    """None is lost."""
    router.daemon.plx("arp", "del", "wan0", "10.2.0.2")
    router.b.tap.drain()
    router.a.exchange(*[router.a.ip("10.2.0.2", id=n) / UDP(dport=77) for n in range(1, 4)])
    got = []

    def collect(frame):
        packet = Ether(frame)
        if UDP in packet and packet[UDP].dport == 77:
            got.append(packet[IP].id)
        return len(got) == 3

    assert router.b.tap.receive(collect)
    assert sorted(got) == [1, 2, 3]


def test_permanent_entry_stays(lab, link):
    """What an administrator sets is not changed by what the wire says, until it is deleted."""
    s, daemon = link.station_, link.daemon
    daemon.plx("arp", "add", "lan0", "10.1.0.60", "02:00:00:00:00:60")
    try:
        s.exchange(s.ether(dst=BROADCAST) / ARP(op=1, hwsrc="02:00:00:00:00:61", psrc="10.1.0.60",
                                                pdst=GW))
        shown = entry(daemon, "10.1.0.60")
        assert (shown["mac"], shown["state"]) == ("02:00:00:00:00:60", "permanent")
        s.tap.drain()
        s.tap.send(s.ip(GW, src="10.1.0.60") / ICMP(type=8, id=3))
        frame = s.tap.receive(lambda f: IP in Ether(f) and Ether(f)[IP].dst == "10.1.0.60")
        assert Ether(frame).dst == "02:00:00:00:00:60"
    finally:
        daemon.plx("arp", "del", "lan0", "10.1.0.60")
    assert entry(daemon, "10.1.0.60") is None


def test_entry_is_refreshed_while_it_is_used(lab, link):
    """Asked again by unicast before the end, so that traffic never waits."""
    host, daemon = link.neighbor, link.daemon
    with sysctl(daemon, keep=3, refresh=2):
        daemon.plx("arp", "del", "lan0", HOST)
        host.ping(GW)
        tap = link.station_.tap
        tap.drain()
        pinging = host.start("ping", "-n", "-q", "-i", "0.1", "-c", "60", GW, stdout=-1, text=True)

        def unicast_request(frame):
            arp = arp_of(frame)
            return arp is not None and arp.op == 1 and Ether(frame).dst == host.mac("eth0")

        assert tap.receive(unicast_request)
        assert " 0% packet loss" in pinging.communicate(timeout=60)[0]
        assert state(daemon, HOST) in ("reachable", "probe")


def test_entry_expires_when_it_is_not_used(lab, link):
    s, daemon = link.station_, link.daemon
    with sysctl(daemon, keep=2, refresh=1):
        s.exchange(s.ether(dst=BROADCAST) / ARP(op=1, hwsrc="02:00:00:00:00:70", psrc="10.1.0.70",
                                                pdst=GW))
        wait_for(lambda: entry(daemon, "10.1.0.70"), "an entry")
        wait_for(lambda: entry(daemon, "10.1.0.70") is None, "the entry to expire")


@pytest.mark.parametrize("up", [False, True])
def test_interface_down_and_up(lab, link, up):
    """Down, the interface answers nothing; up again, it does."""
    link.daemon.plx("ifconfig", "lan0", "up" if up else "down")
    told = link.neighbor.ping(GW, "-W", 1, "-i", 0.2, count=2, check=False).stdout
    assert (" 0% packet loss" in told) == up
