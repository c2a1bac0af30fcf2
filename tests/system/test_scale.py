# SPDX-License-Identifier: BSD-3-Clause
"""Many routes, VLANs and VRFs, while traffic goes on. Times and memory are printed, never judged.

    host-a 10.1.0.2 ---- 10.1.0.1 polluxd 10.2.0.1 ---- 10.2.0.2 host-b

POLLUX_TEST_LONG=1: as many as a router of the default-free zone has.
"""
import os
import pathlib
import re
import subprocess
import time

import pytest
from lab import has_inet6, spoken, wait_for
from networks import Network, af_packet

LONG = os.environ.get("POLLUX_TEST_LONG") == "1"
ROUTES, ROUTES6 = (1_000_000, 200_000) if LONG else (50_000, 10_000)
VLANS, VRFS = (1000, 256) if LONG else (40, 12)
PACKETS = 20_000 if LONG else 2_000


class Big(Network):
    def __init__(self, lab):
        super().__init__(lab, "scale")
        self.host_a = self.host("a", "lan", "10.1.0.2")
        self.host_b = self.host("b", "wan", "10.2.0.2")
        for host, net in ((self.host_a, 1), (self.host_b, 2)) if has_inet6() else ():
            host.sysctl("net.ipv6.conf.eth0.disable_ipv6", 0)
            host.ip("-6", "addr", "add", f"2001:db8:{net}::2/64", "dev", "eth0", "nodad")
            host.ip("-6", "route", "add", "default", "via", f"2001:db8:{net}::1")
        both = [af_packet("lan0", "lan", "10.1.0.1/24"), af_packet("wan0", "wan", "10.2.0.1/24")]
        for number, one in enumerate(both, 1):
            one["address"].append(f"2001:db8:{number}::1/64")
        self.start({
            "limits": {"routes": ROUTES + 1000, "routes6": ROUTES6 + 1000,
                       "route_groups6": 3 * ROUTES6 + 1000, "interfaces": VLANS + 8,
                       "next_hops": 4 * VLANS + 1000, "vrfs": VRFS,
                       "vrf_groups": 64 * VRFS + 1000, "neighbors": 4096},
            "sysctl": {"net.inet.ip.forwarding": 1, "net.inet6.ip6.forwarding": 1,
                       "net.inet6.ip6.dad_count": 0},
            "interface": both,
        })

    def memory_mib(self):
        status = pathlib.Path(f"/proc/{self.daemon.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) // 1024

    def usage(self, table):
        return next(u for u in self.daemon.plx("stats", "--usage") if u["table"] == table)


@pytest.fixture(scope="module")
def big(lab):
    net = Big(lab)
    for target in spoken("10.2.0.2", "2001:db8:2::2"):
        wait_for(lambda t=target: net.host_a.ping(t, "-W", 1, check=False).returncode == 0, target)
    yield net
    net.daemon.stop()


def table4(count):
    """Prefixes as a router has them, /24 for the most part, none in 10/8."""
    for n in range(count):
        high = 11 + n // 65536
        yield f"{high}.{n >> 8 & 255}.{n & 255}.0/24 via 10.2.0.2\n"


def table6(count):
    for n in range(count):
        yield f"2a{n >> 16:02x}:{n & 0xffff:x}::/{32 + n % 3 * 8} via 2001:db8:2::2\n"


def steady(host, target):
    """A ping that goes on until it is asked for its loss."""
    return host.start("ping", "-i", "0.01", "-c", str(PACKETS * 100), "-q", target,
                      stdout=subprocess.PIPE, text=True)


def loss_of(process):
    process.send_signal(2)
    out = process.communicate(timeout=60)[0]
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", out).groups())
    assert sent > 10, out
    return sent - received


def load(big, name, lines, *options):
    path = big.daemon.folder / name
    count = 0
    with open(path, "w") as file:
        for count, line in enumerate(lines, 1):
            file.write(line)
    before, begun = big.memory_mib(), time.monotonic()
    result = big.daemon.plx("route", "load", *options, str(path), timeout=1800)
    took = time.monotonic() - begun
    assert result == {"done": count, "refused": 0}
    print(f"\n{name} {' '.join(options)}: {count} routes in {took:.1f} s, "
          f"{took / count * 1e6:.1f} us each; {big.memory_mib()} MiB, +{big.memory_mib() - before}")


def test_a_table_is_loaded_and_deleted_without_a_packet_lost(big):
    pings = [steady(big.host_a, target) for target in spoken("10.2.0.2", "2001:db8:2::2")]
    load(big, "table4", table4(ROUTES))
    assert big.daemon.plx("route", "get", "11.0.200.1")["via"] == "10.2.0.2"
    assert big.usage("routes")["used"] >= ROUTES
    if has_inet6():
        load(big, "table6", table6(ROUTES6))
        assert big.daemon.plx("route", "get", "2a00:200::1")["via"] == "2001:db8:2::2"
        assert big.usage("routes6")["used"] >= ROUTES6
        load(big, "table6", table6(ROUTES6), "--delete")
    load(big, "table4", table4(ROUTES), "--delete")
    assert not any(loss_of(p) for p in pings)
    assert big.usage("routes")["used"] < 100


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
    path.write_text("".join(table4(room + 3)))
    done = big.daemon.run_plx("route", "load", str(path), timeout=1800)
    assert done.returncode == 1 and f"{limit} of {limit} prefixes" in done.stderr
    assert big.usage("routes")["used"] == limit
    big.host_a.ping("10.2.0.2")
    big.daemon.run_plx("route", "load", "--delete", str(path), timeout=1800)
    assert big.usage("routes")["used"] == limit - room


def test_vlans_and_vrfs_with_one_address(big):
    """As many VLANs on one port, each of the first in a VRF of its own, all with one address."""
    daemon, before = big.daemon, big.memory_mib()
    begun = time.monotonic()
    for n in range(1, VRFS + 1):
        daemon.plx("vrf", "add", f"v{n}")
    for n in range(1, VLANS + 1):
        words = ["vrf", f"v{n}", "inet", "10.0.0.1/24"] if n <= VRFS else []
        daemon.plx("ifconfig", f"vlan{n}", "create", "vlan", n, "vlandev", "lan0", *words)
    took = time.monotonic() - begun
    print(f"\n{VRFS} VRFs and {VLANS} VLANs in {took:.1f} s; {big.memory_mib()} MiB, "
          f"+{big.memory_mib() - before}")
    assert "table is full" in daemon.run_plx("vrf", "add", "more").stderr
    shown = daemon.plx("vrf")
    assert len(shown) == VRFS + 1 and shown[1]["interfaces"] == ["vlan1"]
    big.host_a.ping("10.2.0.2")
    probe = big.host_a.ip("link", "add", "link", "eth0", "name", "probe", "type", "vlan", "id", 9,
                          check=False)
    if probe.returncode != 0:
        pytest.skip("no traffic: this kernel has no VLANs")
    big.host_a.ip("link", "del", "probe")
    for n in (1, VRFS // 2, VRFS):
        host = big.lab.namespace(f"scale-{n}")
        big.host_a.ip("link", "add", "link", "eth0", "name", f"v{n}", "type", "vlan", "id", n)
        big.host_a.ip("link", "set", f"v{n}", "netns", host.name)
        host.ip("link", "set", f"v{n}", "name", "eth0")
        host.ip("link", "set", "eth0", "up")
        host.address("eth0", f"10.0.0.{n % 200 + 2}/24")
        wait_for(lambda h=host: h.ping("10.0.0.1", "-W", 1, check=False).returncode == 0,
                 f"VRF v{n}")
        assert [x["address"] for x in daemon.plx("arp") if x["interface"] == f"vlan{n}"] == [
            f"10.0.0.{n % 200 + 2}"]
