# SPDX-License-Identifier: BSD-3-Clause
"""Routes with several next hops, and recursive ones, with kernels as the routers behind them.

                                        +-- 10.11.0.1 polluxd ---- 10.11.0.2 left  --+
    host 10.1.0.2 ---- 10.1.0.1 polluxd +                                            + 10.9.0.1 on both
                                        +-- 10.12.0.1 polluxd ---- 10.12.0.2 right --+

and the same with 2001:db8:1::, :11::, :12:: and :9::1. Both routers answer for the address behind
them, so that a flow is answered whichever way it takes.
"""
import json
import re

import pytest
from lab import has_inet6, spoken, wait_for
from networks import Network, af_packet, interface

FLOWS = 128
SENDER = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
for port in range(40000, 40000 + int(sys.argv[2])):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind(("", port))
    s.sendto(b"x" * 32, (sys.argv[1], 9))
    s.close()
"""


class Fork(Network):
    def __init__(self, lab):
        super().__init__(lab, "fork")
        self.host_a = self.host("host", "lan", "10.1.0.2")
        self.left, self.right = self.router("left", "11"), self.router("right", "12")
        self.six(self.host_a, "2001:db8:1::2/64")
        neighbors = [] if not has_inet6() else [{"address": address, "mac": node.mac("eth0"), "interface": port}
                     for node, port, address in ((self.host_a, "lan0", "2001:db8:1::2"),
                                                 (self.left, "left0", "2001:db8:11::2"),
                                                 (self.right, "right0", "2001:db8:12::2"))]
        self.start({
            "sysctl": {"net.inet.ip.forwarding": 1, "net.inet6.ip6.forwarding": 1,
                       "net.inet6.ip6.dad_count": 0},
            "interface": [self.port("lan", "1"), self.port("left", "11"), self.port("right", "12")],
            "neighbor": neighbors,
            "route": [{"prefix": prefix,
                       "nexthops": [{"via": f"{stem}11{tail}"}, {"via": f"{stem}12{tail}"}]}
                      for prefix, stem, tail in (("10.9.0.0/24", "10.", ".0.2"),
                                                 ("2001:db8:9::/48", "2001:db8:", "::2"))],
        })
        for node, port, net in ((self.host_a, "lan0", "1"), (self.left, "left0", "11"),
                                (self.right, "right0", "12")) if has_inet6() else ():
            gateway = f"2001:db8:{net}::1"
            node.ip("-6", "neigh", "replace", gateway, "lladdr",
                    interface(self.daemon, port)["mac"], "dev", "eth0", "nud", "permanent")
            node.ip("-6", "route", "add", "default", "via", gateway)

    def router(self, name, net):
        node = self.host(name, name, f"10.{net}.0.2")
        self.six(node, f"2001:db8:{net}::2/64")
        node.ip("link", "set", "lo", "up")
        node.ip("addr", "add", "10.9.0.1/32", "dev", "lo")
        if has_inet6():
            node.ip("-6", "addr", "add", "2001:db8:9::1/128", "dev", "lo", "nodad")
        return node

    @staticmethod
    def six(node, address):
        if not has_inet6():
            return
        node.sysctl("net.ipv6.conf.eth0.disable_ipv6", 0)
        node.sysctl("net.ipv6.conf.lo.disable_ipv6", 0)
        node.ip("-6", "addr", "add", address, "dev", "eth0", "nodad")

    @staticmethod
    def port(name, net):
        one = af_packet(f"{name}0", name, f"10.{net}.0.1/24")
        one["address"].append(f"2001:db8:{net}::1/64")
        return one

    def ways(self, target, flows=FLOWS):
        """A datagram of each flow, none of them answered. Returns which router each source port went to."""
        taps = {side: node.tap("eth0") for side, node in (("left", self.left), ("right", self.right))}
        six = ":" in target
        at = 54 if six else 34

        def of_test(frame):
            return (frame[12:14] == (b"\x86\xdd" if six else b"\x08\x00") and len(frame) >= at + 8
                    and frame[20 if six else 23] == 17
                    and int.from_bytes(frame[at + 2:at + 4], "big") == 9)

        self.host_a.run("/usr/bin/python3", "-c", SENDER, target, str(flows))
        ways = {}

        def all_there():
            for side, tap in taps.items():
                while (frame := tap.receive(of_test, limit_s=0.05)) is not None:
                    ways[int.from_bytes(frame[at:at + 2], "big")] = side
            return len(ways) == flows

        wait_for(all_there, f"{flows} datagrams behind the routers")
        for tap in taps.values():
            tap.close()
        return ways

    def next_hops(self, prefix):
        return next(r for r in self.daemon.plx("route") if r["prefix"] == prefix)["nexthops"]


@pytest.fixture(scope="module")
def fork(lab):
    net = Fork(lab)
    wait_for(lambda: all(node.ping("10.1.0.2", "-W", 1, check=False).returncode == 0
                         for node in (net.left, net.right)), "the routers' neighbours")
    yield net
    net.daemon.stop()


TARGETS = [pytest.param("10.9.0.1", "10.9.0.0/24", id="inet"),
           pytest.param("2001:db8:9::1", "2001:db8:9::/48", id="inet6")]


@pytest.mark.parametrize("target, prefix", TARGETS)
def test_flows_are_spread_and_stay(fork, target, prefix):
    ways = fork.ways(target)
    spread = [list(ways.values()).count(side) for side in ("left", "right")]
    assert min(spread) > FLOWS // 5, spread
    assert fork.ways(target) == ways
    assert [n["alive"] for n in fork.next_hops(prefix)] == [True, True]


@pytest.mark.parametrize("target, prefix", TARGETS)
def test_a_member_that_goes_takes_only_its_own_flows(fork, target, prefix):
    before = fork.ways(target)
    fork.daemon.plx("ifconfig", "right0", "down")
    try:
        during = fork.ways(target)
        assert set(during.values()) == {"left"}
        assert [n["alive"] for n in fork.next_hops(prefix)] == [True, False]
    finally:
        fork.daemon.plx("ifconfig", "right0", "up")
    wait_for(lambda: all(n["alive"] for n in fork.next_hops(prefix)), "the member is back")
    again = fork.ways(target)
    moved = [port for port, side in again.items() if before[port] == "left" and side == "right"]
    assert len(moved) <= FLOWS // 8, "flows of the member that stayed have moved"
    assert "right" in again.values()


def test_weights(fork):
    fork.daemon.plx("route", "add", "10.9.0.1/32", "nexthop", "via", "10.11.0.2", "weight", "1",
                    "nexthop", "via", "10.12.0.2", "weight", "7")
    try:
        ways = list(fork.ways("10.9.0.1", flows=256).values())
        assert 256 // 16 <= ways.count("left") <= 256 // 4, ways.count("left")
        shares = [n["share"] for n in fork.next_hops("10.9.0.1/32")]
        assert shares == pytest.approx([1 / 8, 7 / 8])
    finally:
        fork.daemon.plx("route", "delete", "10.9.0.1/32")


def test_replies_come_through(fork):
    """Both routers have the address: a TCP-like exchange needs a flow to keep its way."""
    for target in spoken("10.9.0.1", "2001:db8:9::1"):
        told = fork.host_a.ping(target, "-i", 0.02, count=20).stdout
        assert re.search(r" 0% packet loss", told), told


@pytest.mark.parametrize("target, far, via, ways", [
    ("10.77.0.1", "10.77.0.0/16", "10.99.0.1",
     [("10.99.0.0/24", "10.11.0.2", "left"), ("10.99.0.0/28", "10.12.0.2", "right")]),
    ("2001:db8:77::1", "2001:db8:77::/48", "2001:db8:99::1",
     [("2001:db8:99::/48", "2001:db8:11::2", "left"),
      ("2001:db8:99::/64", "2001:db8:12::2", "right")]),
], ids=["inet", "inet6"])
def test_recursive_route(fork, target, far, via, ways):
    """The gateway is on no link of ours; the route follows the best route to it."""
    fork.daemon.plx("route", "add", far, "via", via, "recursive")
    added = [far]
    try:
        for prefix, gateway, side in ways:
            fork.daemon.plx("route", "add", prefix, "via", gateway)
            added.append(prefix)
            assert set(fork.ways(target, flows=8).values()) == {side}
            assert fork.next_hops(far)[0]["resolved_via"] == gateway
        fork.daemon.plx("route", "delete", added.pop())
        assert set(fork.ways(target, flows=8).values()) == {"left"}
    finally:
        for prefix in added:
            fork.daemon.plx("route", "delete", prefix)


@pytest.mark.parametrize("kind, answer", [("unreachable", "Destination Net Unreachable"),
                                          ("prohibit", "Packet filtered"), ("blackhole", None)])
def test_routes_that_lead_nowhere(fork, kind, answer):
    fork.daemon.plx("route", "add", "10.66.0.0/16", kind)
    try:
        told = fork.host_a.ping("10.66.0.1", "-W", 1, check=False).stdout
        assert (answer in told) if answer else "100% packet loss" in told and "From" not in told, told
    finally:
        fork.daemon.plx("route", "delete", "10.66.0.0/16")


def test_local_route(fork):
    """A whole prefix that is ours, as iproute2's local routes are."""
    prefixes = spoken("10.67.0.0/24", "2001:db8:67::/64")
    for prefix in prefixes:
        fork.daemon.plx("route", "add", prefix, "local")
    try:
        for target in spoken("10.67.0.99", "2001:db8:67::99"):
            assert fork.host_a.ping(target, "-W", 5).returncode == 0
    finally:
        for prefix in prefixes:
            fork.daemon.plx("route", "delete", prefix)


@pytest.mark.parametrize("words, says", [
    (["10.50.0.0/16", "nexthop", "via", "10.11.0.2", "weight", "0"], "weight"),
    (["10.50.0.0/16", "nexthop", "via", "10.11.0.2", "nexthop", "via", "2001:db8:11::2"], "family"),
    (["10.50.0.0/16", "nexthop"], "nexthop"),
    (["10.50.0.0/16", "via", "2001:db8:11::2"], "family"),
    (["10.50.0.0/16", "via", "10.88.0.1"], "10.88.0.1"),
    (["10.50.0.0/16", "local", "via", "10.11.0.2"], "unicast"),
])
def test_refused(fork, words, says):
    before = fork.daemon.plx("route")
    told = fork.daemon.run_plx("route", "add", *words)
    assert told.returncode != 0
    assert says in told.stderr, told.stderr
    assert json.dumps([r["prefix"] for r in fork.daemon.plx("route")]) == \
        json.dumps([r["prefix"] for r in before])
