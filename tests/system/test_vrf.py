# SPDX-License-Identifier: BSD-3-Clause
"""VRFs with overlapping addresses; every host is a kernel.

    red    10.0.0.2 ---- red0   10.0.0.1 (VRF red)   \\
    blue   10.0.0.2 ---- blue0  10.0.0.1 (VRF blue)   polluxd
    green  10.0.0.2 ---- green0 10.0.0.1 (VRF green) /
    shared 10.9.0.2 ---- wan0   10.9.0.1 (default VRF)
"""
import json

import pytest
from esp import Peer
from frames import Station, moved
from lab import has_inet6, spoken, wait_for
from networks import Network, af_packet, interface
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether

HOSTS = ("red", "blue", "green")


class Vrfs(Network):
    def __init__(self, lab):
        super().__init__(lab, "vrf")
        self.hosts = {name: self.inside(name) for name in HOSTS}
        self.shared = self.host("shared", "wan", "10.9.0.2")
        inside = [{**af_packet(f"{name}0", name, "10.0.0.1/24", vrf=name),
                   "address": ["10.0.0.1/24", "2001:db8::1/64"]} for name in HOSTS]
        self.start({
            "sysctl": {"net.inet.ip.forwarding": 1, "net.inet6.ip6.forwarding": 1,
                       "net.inet6.ip6.dad_count": 0},
            "vrf": [{"name": "red"}, {"name": "blue", "id": 7}, {"name": "green"}],
            "interface": [af_packet("wan0", "wan", "10.9.0.1/24"), *inside],
        })

    def inside(self, name):
        host = self.host(name, name, "10.0.0.2")
        if not has_inet6():
            return host
        host.sysctl("net.ipv6.conf.eth0.disable_ipv6", 0)
        host.ip("-6", "addr", "add", "2001:db8::2/64", "dev", "eth0", "nodad")
        host.ip("-6", "route", "add", "default", "via", "2001:db8::1")
        return host

    def on_interface(self, host, address, name):
        return Station(host.tap("eth0"), host.mac("eth0"), address,
                       interface(self.daemon, name)["mac"], "10.0.0.1")

    def show(self):
        return {v["name"]: v for v in self.daemon.plx("vrf")}


@pytest.fixture(scope="module")
def vrfs(lab):
    net = Vrfs(lab)
    yield net
    net.daemon.stop()


def succeeds(host, target, *options):
    wait_for(lambda: host.ping(target, "-W", 1, *options, check=False).returncode == 0,
             f"{target} to answer", every_s=0.2)


def refused(daemon, *argv):
    done = daemon.run_plx(*argv)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("target", ["10.0.0.1", "2001:db8::1"])
def test_each_host_reaches_the_gateway_of_its_own_vrf(vrfs, name, target):
    succeeds(vrfs.hosts[name], target)


def test_what_is_shown_is_each_vrfs_own(vrfs):
    show = vrfs.show()
    assert [(v["name"], v["id"]) for v in show.values()] == [
        ("default", 0), ("red", 1), ("green", 2), ("blue", 7)]
    assert show["red"]["interfaces"] == ["red0"] and show["green"]["interfaces"] == ["green0"]
    assert show["red"]["routes"]["limit"] == 1024 and show["red"]["routes"]["used"] > 3
    routes = vrfs.daemon.plx("route", "show", "-V", "blue")
    assert {r["interface"] for r in routes if r["prefix"] == "10.0.0.0/24"} == {"blue0"}
    answer = vrfs.daemon.plx("route", "get", "10.0.0.9", "vrf", "red")
    assert answer["interface"] == "red0" and answer["source"] == "10.0.0.1"
    assert vrfs.daemon.plx("route", "get", "10.0.0.9")["kind"] == "no-route"


def test_neighbours_of_two_vrfs_have_one_address_and_two_macs(vrfs):
    for host in vrfs.hosts.values():
        succeeds(host, "10.0.0.1")
    seen = {n["interface"]: n["mac"] for n in vrfs.daemon.plx("arp") if n["address"] == "10.0.0.2"}
    assert seen == {"red0": vrfs.hosts["red"].mac("eth0"),
                    "blue0": vrfs.hosts["blue"].mac("eth0"),
                    "green0": vrfs.hosts["green"].mac("eth0")}


def test_no_packet_crosses(vrfs):
    """10.9.0.2 is a host of the default VRF, which red has no route to: red's host is told so."""
    tap = vrfs.shared.tap("eth0")
    done = vrfs.hosts["red"].ping("10.9.0.2", "-W", 1, count=2, check=False)
    assert "Unreachable" in done.stdout and "10.0.0.1" in done.stdout
    assert tap.receive(lambda f: f[12:14] == b"\x08\x00" and f[23] == 1, limit_s=0.5) is None
    tap.close()


def test_what_the_stack_says_follows_a_vrf(vrfs):
    daemon = vrfs.daemon
    for name in HOSTS:
        done = daemon.run_plx("ping", "-V", name, "-c", 1, "10.0.0.2")
        assert done.returncode == 0, done.stdout + done.stderr
    assert daemon.run_plx("ping", "-c", 1, "-w", 500, "10.0.0.2").returncode != 0


def test_a_leaked_route_leads_into_another_vrf_and_back(vrfs):
    daemon = vrfs.daemon
    daemon.plx("route", "add", "10.9.0.0/24", "vrf", "red", "via", "10.9.0.2", "dev", "wan0")
    daemon.plx("route", "add", "10.0.0.0/24", "via", "10.0.0.2", "dev", "red0")
    try:
        succeeds(vrfs.hosts["red"], "10.9.0.2")
        assert vrfs.hosts["blue"].ping("10.9.0.2", "-W", 1, check=False).returncode != 0
        first = vrfs.hosts["red"].ping("10.9.0.2", "-t", 1, "-W", 2, check=False).stdout
        assert "From 10.0.0.1" in first and "Time to live exceeded" in first
    finally:
        daemon.plx("route", "del", "10.9.0.0/24", "vrf", "red")
        daemon.plx("route", "del", "10.0.0.0/24")
    assert vrfs.hosts["red"].ping("10.9.0.2", "-W", 1, check=False).returncode != 0


def test_a_subnet_is_leaked_with_its_neighbours(vrfs):
    daemon = vrfs.daemon
    daemon.plx("route", "add", "10.9.0.0/24", "vrf", "red", "dev", "wan0")
    daemon.plx("route", "add", "10.0.0.0/24", "dev", "red0")
    try:
        daemon.run_plx("arp", "del", "wan0", "10.9.0.2")
        daemon.run_plx("arp", "del", "red0", "10.0.0.2")
        succeeds(vrfs.hosts["red"], "10.9.0.2")
        vrfs.hosts["red"].ping("10.9.0.2", "-i", "0.01", count=50)
        assert vrfs.hosts["blue"].ping("10.9.0.2", "-W", 1, check=False).returncode != 0
    finally:
        daemon.plx("route", "del", "10.9.0.0/24", "vrf", "red")
        daemon.plx("route", "del", "10.0.0.0/24")


def test_refusals_change_nothing(vrfs):
    daemon, before = vrfs.daemon, vrfs.show()
    assert "red0" in refused(daemon, "vrf", "delete", "red")
    assert "VRF red exists" in refused(daemon, "vrf", "add", "red")
    assert "id 7 is that of blue" in refused(daemon, "vrf", "add", "new", "id", 7)
    assert "no VRF none" in refused(daemon, "ifconfig", "wan0", "vrf", "none")
    assert "already an address of blue0 in blue" in refused(daemon, "ifconfig", "red0", "vrf",
                                                             "blue")
    assert "always there" in refused(daemon, "vrf", "delete", "default")
    assert "already an address" in refused(daemon, "ifconfig", "red0", "inet", "10.0.0.1/25")
    assert vrfs.show() == before
    succeeds(vrfs.hosts["red"], "10.0.0.1")


def test_an_interface_moves_with_its_addresses(vrfs):
    daemon = vrfs.daemon
    daemon.plx("vrf", "add", "other", "id", 9)
    daemon.plx("route", "add", "10.77.0.0/16", "vrf", "red", "via", "10.0.0.2")
    try:
        daemon.plx("ifconfig", "red0", "vrf", "other")
        assert interface(daemon, "red0")["vrf"] == "other"
        for target in spoken("10.0.0.1", "2001:db8::1"):
            succeeds(vrfs.hosts["red"], target)
        assert daemon.plx("route", "get", "10.0.0.9", "-V", "other")["interface"] == "red0"
        assert daemon.plx("route", "get", "10.0.0.9", "-V", "red")["kind"] == "no-route"
        assert daemon.plx("route", "get", "10.77.0.1", "-V", "red")["kind"] == "no-route"
        assert "red0" in refused(daemon, "vrf", "delete", "other")
    finally:
        daemon.plx("ifconfig", "red0", "vrf", "red")
        daemon.plx("vrf", "delete", "other")
    succeeds(vrfs.hosts["red"], "10.0.0.1")


def test_the_configuration_has_it_all(vrfs):
    daemon = vrfs.daemon
    saved = vrfs.daemon.folder / "saved.toml"
    assert daemon.run_plx("save", str(saved)).returncode == 0
    text = saved.read_text()
    assert '[[vrf]]\nname = "blue"\nid = 7' in text and 'vrf = "green"' in text
    plan = daemon.run_plx("plan", str(saved))
    assert plan.returncode == 0 and "+" not in plan.stdout, plan.stdout + plan.stderr


# ---- sources ------------------------------------------------------------------------------------
@pytest.fixture
def strict(vrfs):
    vrfs.daemon.plx("ifconfig", "red0", "urpf", "strict")
    yield vrfs
    vrfs.daemon.plx("ifconfig", "red0", "urpf", "off")


def spoofed(vrfs, source):
    """Sends one datagram from `source` behind red's host. Returns the drops that moved."""
    station = vrfs.on_interface(vrfs.hosts["red"], "10.0.0.2", "red0")
    frame = station.ether() / IP(src=source, dst="10.55.0.1") / UDP(dport=9)
    before = vrfs.daemon.drops()
    station.exchange(frame)
    return moved(before, vrfs.daemon.drops())


def test_strict_takes_sources_of_that_interface_only(strict):
    daemon = strict.daemon
    daemon.plx("route", "add", "10.55.0.0/16", "vrf", "red", "blackhole")
    daemon.plx("route", "add", "10.66.0.0/16", "vrf", "red", "via", "10.0.0.2")
    daemon.plx("route", "add", "10.67.0.0/16", "vrf", "red", "via", "10.9.0.2", "dev", "wan0")
    try:
        succeeds(strict.hosts["red"], "10.0.0.1")
        assert spoofed(strict, "10.0.0.77") == {"Ip4Blackhole": 1}, "of the subnet"
        assert spoofed(strict, "10.66.1.1") == {"Ip4Blackhole": 1}, "a route leads there"
        assert spoofed(strict, "10.67.1.1") == {"Ip4Spoofed": 1}, "a route leads elsewhere"
        assert spoofed(strict, "198.51.100.1") == {"Ip4Spoofed": 1}, "no route"
        assert spoofed(strict, "10.55.3.3") == {"Ip4Spoofed": 1}, "a blackhole"
        daemon.plx("ifconfig", "red0", "urpf", "loose")
        assert spoofed(strict, "10.67.1.1") == {"Ip4Blackhole": 1}, "some route"
        assert spoofed(strict, "198.51.100.1") == {"Ip4Spoofed": 1}
        assert spoofed(strict, "10.0.0.1") == {"Ip4Spoofed": 1}, "our own"
        daemon.plx("route", "add", "default", "vrf", "red", "via", "10.0.0.2")
        assert spoofed(strict, "198.51.100.1") == {"Ip4Blackhole": 1}
        daemon.plx("route", "del", "default", "vrf", "red")
    finally:
        for prefix in ("10.55.0.0/16", "10.66.0.0/16", "10.67.0.0/16"):
            daemon.plx("route", "del", prefix, "vrf", "red")


@pytest.mark.inet6
def test_strict_leaves_ipv6_neighbour_discovery_alone(strict):
    host = strict.hosts["red"]
    host.ip("-6", "neigh", "flush", "dev", "eth0")
    succeeds(host, "2001:db8::1")
    host.ip("-6", "addr", "add", "2001:db8:bad::2/128", "dev", "eth0", "nodad")
    before = strict.daemon.drops()
    host.ping("2001:db8::1", "-W", 1, "-I", "2001:db8:bad::2", check=False)
    assert moved(before, strict.daemon.drops()).get("Ip6Spoofed", 0) >= 1


# ---- a tunnel between two VRFs --------------------------------------------------------------------
KEY = bytes(range(36))


def test_a_tunnel_has_its_outside_in_one_vrf_and_its_inside_in_another(vrfs):
    """Outside between blue's gateway and blue's host, inside in red."""
    daemon = vrfs.daemon
    daemon.plx("ipsec", "tunnel", "add", "ipsec0", "local", "10.0.0.1", "remote", "10.0.0.2", "vrf",
               "blue")
    try:
        daemon.plx("ifconfig", "ipsec0", "vrf", "red")
        daemon.plx("route", "add", "10.2.0.0/24", "vrf", "red", "dev", "ipsec0")
        key = daemon.folder / "vrf.key"
        key.write_text(KEY.hex())
        key.chmod(0o600)
        for direction, spi in (("out", "0x1000"), ("in", "0x2000")):
            assert daemon.run_plx("ipsec", "sa", "add", "ipsec0", direction, spi, "aes-gcm-256",
                                  "--key-file", str(key)).returncode == 0
        station = vrfs.on_interface(vrfs.hosts["blue"], "10.0.0.2", "blue0")
        peer = Peer(station, "ipsec0", "10.0.0.1", "10.0.0.2", "10.2.0", 0x1000, 0x2000, KEY, KEY)

        # From red's host into the tunnel: sealed, it comes out to blue's host.
        tap = vrfs.hosts["blue"].tap("eth0")
        vrfs.hosts["red"].ping("10.2.0.9", "-W", 1, check=False)
        frame = tap.receive(lambda f: f[12:14] == b"\x08\x00" and f[23] == 50)
        tap.close()
        assert frame is not None
        inner = peer._opens.decrypt(Ether(frame)[IP])
        assert (inner.src, inner.dst, inner[ICMP].type) == ("10.0.0.2", "10.2.0.9", 8)

        # And back: sealed by blue's host, it comes out to red's.
        tap = vrfs.hosts["red"].tap("eth0")
        station.exchange(peer.seal(IP(src="10.2.0.9", dst="10.0.0.2") / UDP(sport=7, dport=7)))
        assert tap.receive(lambda f: f[12:14] == b"\x08\x00" and f[23] == 17) is not None
        tap.close()

        # The same from red, where the tunnel's outside is not: the SA is for blue alone.
        wrong = vrfs.on_interface(vrfs.hosts["red"], "10.0.0.2", "red0")
        before = daemon.drops()
        wrong.exchange(Peer(wrong, "x", "10.0.0.1", "10.0.0.2", "10.2.0", 0x1000, 0x2000, KEY, KEY)
                       .seal(IP(src="10.2.0.9", dst="10.0.0.2") / UDP(), sequence=500))
        assert moved(before, daemon.drops()) == {"EspWrongEndpoint": 1}
        assert "the outer packets of ipsec0" in refused(daemon, "vrf", "delete", "blue")
    finally:
        daemon.plx("ipsec", "tunnel", "del", "ipsec0")
    assert "ipsec0" not in json.dumps(vrfs.show())
