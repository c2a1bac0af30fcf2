# SPDX-License-Identifier: BSD-3-Clause
"""Loads meant to harm: the traffic of others goes on, memory stays within its limits, and the
counters say what happened.

    attacker, 10.1.0.2 ---- 10.1.0.1 polluxd 10.2.0.1 ---- 10.2.0.2 host-b
                            10.3.0.1 --------------------- 10.3.0.2 host-c

host-b and host-c talk to each other while the attacker's link is full.
"""
import ipaddress
import re
import time

import pytest
from lab import wait_for
from networks import Network, af_packet, interface
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether

NEIGHBORS = 256
FRAMES = 4000


class Siege(Network):
    def __init__(self, lab):
        super().__init__(lab, "siege")
        self.attacker = self.host("attacker", "dmz", "10.1.0.2")
        self.host_b = self.host("b", "lan", "10.2.0.2")
        self.host_c = self.host("c", "wan", "10.3.0.2")
        dmz = af_packet("dmz0", "dmz", "10.1.0.1/8")
        dmz["address"].append("2001:db8:1::1/64")
        self.start({
            "limits": {"neighbors": NEIGHBORS, "routes": 20000, "next_hops": 2048},
            "sysctl": {"net.inet.ip.forwarding": 1, "net.inet6.ip6.forwarding": 1,
                       "net.inet6.ip6.dad_count": 0},
            "interface": [dmz, af_packet("lan0", "lan", "10.2.0.1/24"),
                          af_packet("wan0", "wan", "10.3.0.1/24")],
        })
        self.tap = self.attacker.tap("eth0")
        self.mac, self.gateway = self.attacker.mac("eth0"), interface(self.daemon, "dmz0")["mac"]

    def ether(self):
        return Ether(src=self.mac, dst=self.gateway)

    def usage(self, table):
        return next(u for u in self.daemon.plx("stats", "--usage") if u["table"] == table)

    def beside(self, frames, settled):
        """Sends the frames over and over while host-b pings host-c and the router, until `settled`."""
        peace = [self.host_b.start("ping", "-n", "-q", "-c", "40", "-i", "0.05", "-W", "10", target,
                                   stdout=-1, text=True) for target in ("10.3.0.2", "10.2.0.1")]
        limit = time.monotonic() + 120
        while any(p.poll() is None for p in peace) or not settled():
            assert time.monotonic() < limit, "what was to happen did not"
            for frame in frames:
                self.tap.send(frame)
            self.tap.drain()
        for ping in peace:
            told = ping.stdout.read()
            assert re.search(r" 0% packet loss", told), told


@pytest.fixture(scope="module")
def siege(lab):
    net = Siege(lab)
    wait_for(lambda: net.host_b.ping("10.3.0.2", "-W", 1, check=False).returncode == 0, "host-c")
    yield net
    net.daemon.stop()


def rising(siege, reason, by):
    """A condition: that drop reason has counted so many more."""
    before = siege.daemon.drops().get(reason, 0)
    return lambda: siege.daemon.drops().get(reason, 0) >= before + by


def test_scan_of_a_slash_8(siege):
    """The router is made to ask for ever new neighbours."""
    base = int(ipaddress.ip_address("10.64.0.0"))
    frames = [bytes(siege.ether() / IP(src="10.1.0.2", dst=str(ipaddress.IPv4Address(base + 257 * n)))
                    / UDP(dport=9))
              for n in range(FRAMES)]
    siege.beside(frames, rising(siege, "NeighborHoldFull", 1))
    use = siege.usage("neighbors")
    assert use["used"] <= use["limit"] == NEIGHBORS
    alive = {n["address"] for n in siege.daemon.plx("arp") if n["state"] == "reachable"}
    assert {"10.2.0.2", "10.3.0.2"} <= alive


@pytest.mark.inet6
def test_scan_of_a_slash_64(siege):
    base = int(ipaddress.ip_address("2001:db8:1::1:0"))
    frames = [bytes(siege.ether() / IPv6(src="2001:db8:1::2", dst=str(ipaddress.IPv6Address(base + n)))
                    / UDP(dport=9)) for n in range(FRAMES)]
    siege.beside(frames, rising(siege, "NeighborHoldFull", 1))
    use = siege.usage("neighbors")
    assert use["used"] <= use["limit"] == NEIGHBORS


def test_neighbours_that_nobody_asked_for(siege):
    """ARP requests and solicitations from ever new senders: each could become an entry."""
    frames = [bytes(Ether(src=self_mac, dst="ff:ff:ff:ff:ff:ff")
                    / ARP(op=1, hwsrc=self_mac, psrc=f"10.9.{n // 250}.{1 + n % 250}", pdst="10.1.0.1"))
              for n in range(FRAMES // 2) for self_mac in [f"02:aa:00:00:{n >> 8:02x}:{n & 255:02x}"]]
    frames += [bytes(Ether(src=siege.mac, dst=siege.gateway)
                     / IPv6(src=f"2001:db8:1::2:{n:x}", dst="2001:db8:1::1", hlim=255)
                     / ICMPv6ND_NS(tgt="2001:db8:1::1") / ICMPv6NDOptSrcLLAddr(lladdr=siege.mac))
               for n in range(1, FRAMES // 2)]
    siege.beside(frames, lambda: siege.usage("neighbors")["used"] >= NEIGHBORS // 2)
    use = siege.usage("neighbors")
    assert use["used"] <= use["limit"]
    alive = {n["address"] for n in siege.daemon.plx("arp") if n["state"] == "reachable"}
    assert {"10.2.0.2", "10.3.0.2"} <= alive


def test_storm_of_what_asks_for_icmp_errors(siege):
    """Every frame deserves an error; what is sent is limited, what is dropped is counted."""
    sysctl = siege.daemon.plx("sysctl", "net.inet.icmp.errppslimit")
    assert sysctl
    frames = [bytes(siege.ether() / IP(src="10.1.0.2", dst="10.3.0.2", ttl=1, id=n) / ICMP())
              for n in range(FRAMES // 2)]
    frames += [bytes(siege.ether() / IP(src="10.1.0.2", dst="10.1.0.1", id=n) / UDP(dport=9))
               for n in range(FRAMES // 2)]
    siege.beside(frames, rising(siege, "Ip4TtlExpired", FRAMES))


def test_echo_requests_from_forged_sources(siege):
    frames = [bytes(siege.ether() / IP(src=f"10.{100 + n % 50}.{n // 250}.{1 + n % 250}", dst="10.1.0.1")
                    / ICMP()) for n in range(FRAMES)]
    frames += [bytes(siege.ether() / IPv6(src=f"2001:db8:1::3:{n:x}", dst="2001:db8:1::1")
                     / ICMPv6EchoRequest()) for n in range(1, FRAMES // 4)]
    siege.beside(frames, lambda: True)
    use = siege.usage("neighbors")
    assert use["used"] <= use["limit"]


def test_thousands_of_route_updates_under_traffic(siege):
    """The table changes all the time while packets follow routes of it; none is lost."""
    file = siege.daemon.folder / "routes"
    file.write_text("".join(f"20.{n // 256}.{n % 256}.0/24 via 10.3.0.2\n" for n in range(10_000)))
    siege.daemon.plx("route", "add", "10.3.0.0/25", "via", "10.3.0.2")
    ping = siege.host_b.start("ping", "-n", "-q", "-c", "200", "-i", "0.02", "-W", "10", "10.3.0.2",
                              stdout=-1, text=True)
    updates = 0
    while ping.poll() is None:
        for extra in ((), ("--delete",)):
            told = siege.daemon.plx("route", "load", str(file), *extra, timeout=120)
            assert told == {"done": 10_000, "refused": 0}
            updates += 10_000
    assert " 0% packet loss" in (told := ping.stdout.read()), told
    assert updates >= 20_000
    siege.daemon.plx("route", "delete", "10.3.0.0/25")


def test_no_buffer_is_lost(siege):
    """When all is over, what is in use is what the devices hold."""
    wait_for(lambda: siege.usage("fragments")["used"] == 0, "nothing kept")
    assert siege.host_b.ping("10.3.0.2", "-i", 0.01, count=100).stdout.count(" 0% packet loss") == 1
