# SPDX-License-Identifier: BSD-3-Clause
"""Many routes, VLANs and VRFs, while traffic goes on. Times and memory are printed, never judged.

    host-a 10.1.0.2 ---- 10.1.0.1 polluxd 10.2.0.1 ---- 10.2.0.2 host-b 198.51.100.1
                                                        10.2.1.1 to 10.2.2.200: gateways, silent

POLLUX_TEST_LONG=1: as many as a router of the default-free zone has.
"""
import contextlib
import os
import pathlib
import re
import time

import pytest
from api import Api, Asker, Refusal, of_many
from lab import has_inet6, spoken, wait_for
from networks import Network, af_packet, interface
from numbered import Numbered
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Dot1Q, Ether
from tables import table4, table6
from tagged import TaggedTap

LONG = os.environ.get("POLLUX_TEST_LONG") == "1"
ROUTES, ROUTES6 = (1_000_000, 200_000) if LONG else (30_000, 6_000)
VLANS, VRFS = (1000, 256) if LONG else (40, 12)
GATEWAYS = [f"10.2.{n // 200 + 1}.{n % 200 + 1}" for n in range(400)]
GATEWAYS6 = [f"2001:db8:2::{n:x}" for n in range(0x1000, 0x1190)]


class Big(Network):
    def __init__(self, lab):
        super().__init__(lab, "scale")
        self.host_a = self.host("a", "lan", "10.1.0.2")
        self.host_b = self.host("b", "wan", "10.2.0.2")
        for host, net in ((self.host_a, 1), (self.host_b, 2)) if has_inet6() else ():
            host.sysctl("net.ipv6.conf.eth0.disable_ipv6", 0)
            host.ip("-6", "addr", "add", f"2001:db8:{net}::2/64", "dev", "eth0", "nodad")
            host.ip("-6", "route", "add", "default", "via", f"2001:db8:{net}::1")
        if has_inet6():
            self.host_b.sysctl("net.ipv6.conf.lo.disable_ipv6", 0)
        for address in spoken("198.51.100.1/32", "2001:db8:ffff::1/128"):
            self.host_b.address("lo", address)
        both = [af_packet("lan0", "lan", "10.1.0.1/24"), af_packet("wan0", "wan", "10.2.0.1/16")]
        for number, one in enumerate(both, 1):
            one["address"].append(f"2001:db8:{number}::1/64")
        self.start({
            "limits": {"routes": ROUTES + 2000, "route_groups": 8200, "routes6": ROUTES6 + 1000,
                       "route_groups6": 3 * ROUTES6 // 2 + 2000, "interfaces": VLANS + 8,
                       "next_hops": 4 * VLANS + 2000, "vrfs": VRFS,
                       "vrf_groups": 64 * VRFS + 1000, "neighbors": 4096},
            "sysctl": {"net.inet.ip.forwarding": 1, "net.inet6.ip6.forwarding": 1,
                       "net.inet6.ip6.dad_count": 0},
            "interface": both,
        })

    def memory_kib(self):
        status = pathlib.Path(f"/proc/{self.daemon.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def usage(self, table):
        return next(u for u in self.daemon.plx("stats", "--usage") if u["table"] == table)


@pytest.fixture(scope="module")
def big(lab):
    net = Big(lab)
    for target in spoken("10.2.0.2", "2001:db8:2::2"):
        wait_for(lambda t=target: net.host_a.ping(t, "-W", 1, check=False).returncode == 0, target)
    yield net
    net.daemon.stop()


def load(big, path, count, *options):
    before, begun = big.memory_kib(), time.monotonic()
    with Asker(big.daemon) as asker:
        result = big.daemon.plx("route", "load", *options, str(path), timeout=1800)
    took, more = time.monotonic() - begun, big.memory_kib() - before
    assert result == {"done": count, "refused": 0}
    print(f"\n{path.name} {' '.join(options)}: {count} routes in {took:.2f} s, "
          f"{took / count * 1e6:.2f} us each; {big.memory_kib() // 1024} MiB, {more // 1024:+} MiB, "
          f"{more * 1024 / count:+.0f} bytes each\n  meanwhile {asker}")


@pytest.fixture(scope="module")
def files(big):
    """The tables, in files: [(path, lines)]."""
    both = []
    tables = [("table4", table4(ROUTES, ["10.2.0.2", *GATEWAYS])),
              ("table6", table6(ROUTES6, ["2001:db8:2::2", *GATEWAYS6]))]
    for name, lines in tables if has_inet6() else tables[:1]:
        path, lines = big.daemon.folder / name, list(lines)
        path.write_text("".join(lines))
        both.append((path, lines))
    return both


def test_a_table_is_loaded_and_deleted_without_a_packet_lost(big, files):
    print(f"\nat first: {big.memory_kib() // 1024} MiB")
    flows = [Numbered(big.host_a, big.host_b, a) for a in spoken("10.2.0.2", "2001:db8:2::2")]
    for path, lines in files:
        load(big, path, len(lines))
    # Through routes of the tables, found among all the others.
    through = [Numbered(big.host_a, big.host_b, a)
               for a in spoken("198.51.100.1", "2001:db8:ffff::1")]
    assert big.daemon.plx("route", "get", "198.51.100.200")["via"] == "10.2.0.2"
    assert big.usage("routes")["used"] >= ROUTES
    if has_inet6():
        assert big.daemon.plx("route", "get", "2001:db8:ffff::200")["via"] == "2001:db8:2::2"
        assert big.usage("routes6")["used"] >= ROUTES6
    for flow in through:
        wait_for(lambda f=flow: f.running_s() > 1, "some packets")
    ended = [flow.stop() for flow in through]
    for path, lines in files:
        load(big, path, len(lines), "--delete")
    for flow in [*ended, *(flow.stop() for flow in flows)]:
        print(f"  {flow['sent']} packets sent, {len(flow['lost'])} lost, {flow['late']} late")
        assert flow["sent"] > 100 and not flow["lost"] and not flow["twice"], flow
    assert big.usage("routes")["used"] < 1000


def test_routes_one_at_a_time_and_in_batches(big, files):
    """Over the API: what a routing daemon does."""
    few, flow = (20_000 if LONG else 500), Numbered(big.host_a, big.host_b, "10.2.0.2")
    for path, lines in files:
        load(big, path, len(lines))
        gone, seconds = lines[-few:], {"delete": [], "add": []}
        with Api(big.daemon) as api:
            for line in gone:
                prefix, _, via = line.split()
                begun = time.monotonic()
                api.call("route.delete", prefix=prefix)
                seconds["delete"].append(time.monotonic() - begun)
                begun = time.monotonic()
                api.call("route.add", prefix=prefix, via=via)
                seconds["add"].append(time.monotonic() - begun)
            for verb, times in seconds.items():
                print(f"\n{path.name}, full, a call each: {of_many(times, 1e6, 'us', verb)}")
            for batch in (100, 4000):
                begun = time.monotonic()
                for remove in (True, False):
                    for n in range(0, few, batch):
                        some = [line.strip() for line in gone[n:n + batch]]
                        answer = api.call("route.load", routes=some, delete=remove)
                        assert not answer["errors"]
                print(f"  {batch} a call: {(time.monotonic() - begun) / few / 2 * 1e6:.2f} us each")
        load(big, path, len(lines), "--delete")
    ended = flow.stop()
    assert not ended["lost"], ended


def test_lines_are_refused_one_by_one(big):
    path = big.daemon.folder / "odd"
    path.write_text("# a comment\n\n20.0.0.0/8 via 10.2.0.2\n20.0.0.0/8 via 10.2.0.2\n"
                    "20.1.0.1/16 via 10.2.0.2\n20.2.0.0/16 via 10.99.0.1\nnonsense\n"
                    "20.3.0.0/16 blackhole\n20.4.0.0/16 via 10.2.0.2 vrf none\n")
    done = big.daemon.run_plx("route", "load", str(path))
    assert done.returncode == 1
    for number, words in ((4, "exists"), (5, "20.1.0.0/16"), (6, "on no subnet"), (7, "nonsense"),
                          (9, "no VRF none")):
        assert re.search(rf"odd:{number}: .*{words}", done.stderr), done.stderr
    assert len(done.stderr.splitlines()) == 5
    for prefix in ("20.0.0.0/8", "20.3.0.0/16"):
        big.daemon.plx("route", "del", prefix)


def test_a_full_table_refuses_the_next(big):
    limit = big.usage("routes")["limit"]
    room = limit - big.usage("routes")["used"]
    path = big.daemon.folder / "full"
    path.write_text("".join(table4(room + 3, ["10.2.0.2"])))
    done = big.daemon.run_plx("route", "load", str(path), timeout=1800)
    assert done.returncode == 1
    assert f"{limit} of {limit} prefixes (limits.routes)" in done.stderr
    assert big.usage("routes")["used"] == limit
    big.host_a.ping("10.2.0.2")
    big.daemon.run_plx("route", "load", "--delete", str(path), timeout=1800)
    assert big.usage("routes")["used"] == limit - room


def test_vlans_and_vrfs_with_one_address(big):
    """As many VLANs on one port, each of the first in a VRF of its own, all of these with one
    address; routes in each."""
    daemon, before = big.daemon, big.memory_kib()
    flow, begun = Numbered(big.host_a, big.host_b, "10.2.0.2"), time.monotonic()
    with Asker(daemon) as asker, Api(daemon) as api:
        for n in range(1, VRFS + 1):
            api.call("vrf.add", name=f"v{n}")
        for n in range(1, VLANS + 1):
            more = {"vrf": f"v{n}"} if n <= VRFS else {}
            address = "10.0.0.1/24" if n <= VRFS else f"10.{64 + n // 250}.{n % 250}.1/24"
            api.call("interface.create", driver="vlan", name=f"vlan{n}", addresses=[address],
                     options={"parent": "lan0", "id": str(n)}, **more)
        took = time.monotonic() - begun
        for n in range(1, VRFS + 1):
            api.call("route.load", routes=[f"172.{16 + r}.0.0/16 via 10.0.0.{n % 200 + 2} vrf v{n}"
                                           for r in range(8)])
        for refused, words in (("vrf.add", {"name": "more"}),):
            with pytest.raises(Refusal, match=r"VRF table is full: .*limits.vrfs"):
                api.call(refused, **words)
    print(f"\n{VRFS} VRFs and {VLANS} VLANs in {took:.2f} s; "
          f"{(big.memory_kib() - before) / (VLANS + VRFS):.1f} KiB each\n  meanwhile {asker}")
    shown = daemon.plx("vrf")
    assert len(shown) == VRFS + 1 and shown[1]["interfaces"] == ["vlan1"]
    assert len(daemon.plx("ifconfig")) == VLANS + 2
    try:
        check_some_vlans(big)
    finally:
        begun = time.monotonic()
        with Api(daemon) as api:
            for n in range(1, VLANS + 1):
                api.call("interface.destroy", name=f"vlan{n}")
            took = time.monotonic() - begun
            for n in range(1, VRFS + 1):
                for r in range(8):
                    with contextlib.suppress(Refusal):  # gone with its interface
                        api.call("route.delete", prefix=f"172.{16 + r}.0.0/16", vrf=f"v{n}")
                api.call("vrf.delete", name=f"v{n}")
        print(f"  {VLANS} VLANs deleted in {took:.2f} s")
    ended = flow.stop()
    assert not ended["lost"], ended
    assert len(daemon.plx("vrf")) == 1 and len(daemon.plx("ifconfig")) == 2


def check_some_vlans(big):
    """Answers, and packets that follow the routes of the VLAN's VRF, leave by the VLAN that they
    came in by, though the others have the same addresses."""
    tap, ours = TaggedTap(big.host_a, "eth0"), interface(big.daemon, "lan0")["mac"]
    for n in (1, VRFS // 2, VRFS, VLANS):
        net = "10.0.0" if n <= VRFS else f"10.{64 + n // 250}.{n % 250}"
        peer, mac = f"{net}.{n % 200 + 2}", f"02:00:00:01:{n >> 8:02x}:{n & 255:02x}"
        big.daemon.plx("arp", "add", f"vlan{n}", peer, mac)
        wanted = [(f"{net}.1", peer)] + [(peer, "172.16.0.1")] * (n <= VRFS)
        seen = set()

        def carried():
            for dst in (f"{net}.1", "172.16.0.1"):
                tap.send(Ether(src=mac, dst=ours) / Dot1Q(vlan=n) / IP(src=peer, dst=dst)
                         / ICMP(id=n))
            seen.update((tag, f.dst, f[IP].src, f[IP].dst) for _, tag, f in tap.receive()
                        if ICMP in f and f[ICMP].id == n and f[ICMP].type != 3)
            return len(seen) >= len(wanted)

        wait_for(carried, f"VLAN {n}")
        assert seen == {(n, mac, *ends) for ends in wanted}
    tap.socket.close()
