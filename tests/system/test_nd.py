# SPDX-License-Identifier: BSD-3-Clause
"""Neighbour Discovery, duplicate detection, autoconfiguration and group membership (RFC 4861, 4862,
3810, 3376, 5227), with kernels on both sides and scapy where a kernel behaves too well.

    host-a 2001:db8:1::2 ---- lan0 ::1 polluxd wan0 ---- host-b, a router when scapy says so
           10.1.0.2           10.1.0.1         10.2.0.1

polluxd is a router on lan0 and a host on wan0, where it listens to routers.
"""
import contextlib
import itertools
import socket

import pytest
from frames import moved
from lab import wait_for
from networks import Network, af_packet, interface
from scapy.compat import raw
from scapy.contrib.igmpv3 import IGMPv3, IGMPv3mq, IGMPv3mr
from scapy.layers.inet import IP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6MLQuery2,
    ICMPv6MLReport2,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_RS,
    ICMPv6ND_Redirect,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrHopByHop,
    RouterAlert,
    in6_getnsma,
    in6_getnsmac,
)
from scapy.layers.l2 import ARP, Ether

pytestmark = pytest.mark.inet6

GW, HOST = "2001:db8:1::1", "2001:db8:1::2"
ALL_NODES, ALL_ROUTERS = "ff02::1", "ff02::2"
ROUTER_B = "fe80::b"  # what scapy is on wan0
_numbers = itertools.count(1)


def group_of(address):
    """The solicited-node group of an address."""
    packed = in6_getnsma(socket.inet_pton(socket.AF_INET6, address))
    return socket.inet_ntop(socket.AF_INET6, packed)


def mac_of_group(group):
    return in6_getnsmac(socket.inet_pton(socket.AF_INET6, group))


def records_of(report):
    """{group: type of its record} of a MLDv2 report without sources (RFC 3810 5.2)."""
    message = raw(report[ICMPv6MLReport2])
    count = int.from_bytes(message[6:8], "big")
    records = [message[8 + 20 * n:28 + 20 * n] for n in range(count)]
    return {socket.inet_ntop(socket.AF_INET6, r[4:]): r[0] for r in records}


class Station6:
    """scapy on a cable to polluxd, with an IPv6 address of its own."""

    def __init__(self, host, daemon, name, address, ours, mac=None):
        self.tap, self.daemon, self.name = host.tap("eth0"), daemon, name
        self.mac, self.address, self.ours = mac or host.mac("eth0"), address, ours
        self.gateway_mac = interface(daemon, name)["mac"]

    def frame(self, packet, src=None):
        dst = packet.dst
        to = mac_of_group(dst) if dst.startswith("ff") else self.gateway_mac
        return Ether(src=src or self.mac, dst=to) / packet

    def send(self, packet):
        self.tap.send(self.frame(packet))

    def wait_for(self, layer, wanted=lambda p: True):
        """The first packet of ours with that layer that is wanted."""
        def is_it(frame):
            packet = Ether(frame)
            return packet.src == self.gateway_mac and layer in packet and wanted(packet)
        found = self.tap.receive(is_it, limit_s=20)
        assert found, f"no {layer.__name__} from {self.name}"
        return Ether(found)

    def barrier(self):
        """Returns when polluxd has dealt with all that was sent before."""
        number = next(_numbers)
        echo = IPv6(src=self.address, dst=self.ours) / ICMPv6EchoRequest(id=number)
        self.send(echo)
        self.wait_for(ICMPv6EchoReply, lambda p: p[ICMPv6EchoReply].id == number)

    def drops_of(self, packet):
        before = self.daemon.drops()
        self.tap.drain()
        self.tap.send(packet if Ether in packet else self.frame(packet))
        self.barrier()
        return moved(before, self.daemon.drops())


class Discovery(Network):
    def __init__(self, lab):
        super().__init__(lab, "nd")
        self.host_a = self.kernel("a", "lan")
        self.host_a.ip("-6", "addr", "add", f"{HOST}/64", "dev", "eth0", "nodad")
        self.host_a.address("eth0", "10.1.0.2/24")
        self.host_b = self.kernel("b", "wan")
        self.start({
            "sysctl": {"net.inet6.ip6.forwarding": 1, "net.inet6.icmp6.errppslimit": 1000,
                       "net.inet6.icmp6.rediraccept": 1},
            "interface": [af_packet("lan0", "lan", "10.1.0.1/24"),
                          af_packet("wan0", "wan", "10.2.0.1/24", autoconf=True)],
        })
        self.daemon.plx("ifconfig", "lan0", "inet6", f"{GW}/64")
        self.ours_a, self.ours_b = self.link_local("lan0"), self.link_local("wan0")
        for name, address in (("lan0", GW), ("lan0", self.ours_a), ("wan0", self.ours_b)):
            wait_for(lambda: self.state(address, name) == "preferred", f"{address} to be ours")
        self.a = Station6(self.host_a, self.daemon, "lan0", self.kernel_link_local(self.host_a),
                          self.ours_a)
        self.b = Station6(self.host_b, self.daemon, "wan0", ROUTER_B, self.ours_b,
                          mac="02:00:00:00:0b:0b")
        self.know_router()

    def know_router(self):
        """scapy answers no solicitations."""
        self.daemon.plx("ndp", "-s", f"{ROUTER_B}%wan0", self.b.mac)

    def kernel(self, name, port):
        host = self.lab.namespace(f"{self.role}-{name}")
        self.lab.cable(host, "eth0", self.gw, port)
        host.sysctl("net.ipv6.conf.eth0.dad_transmits", 1)
        host.sysctl("net.ipv6.conf.eth0.disable_ipv6", 0)
        return host

    def kernel_link_local(self, host):
        def found():
            (shown,) = host.ip_json("-6", "addr", "show", "dev", "eth0")
            return next((a["local"] for a in shown["addr_info"] if a["scope"] == "link"), None)
        return wait_for(found, "the kernel's link-local address")

    def addresses(self, name="lan0"):
        return interface(self.daemon, name)["address_states"]

    def link_local(self, name):
        return next(a["address"].split("/")[0] for a in self.addresses(name)
                    if a["origin"] == "link-local")

    def state(self, address, name="lan0"):
        return next((a["state"] for a in self.addresses(name)
                     if a["address"].split("/")[0] == address), None)

    def neighbor(self, address):
        return next((n for n in self.daemon.plx("ndp", "-a") if n["address"] == address), {})

    @contextlib.contextmanager
    def address(self, address, name="lan0"):
        family = "inet6" if ":" in address else "inet"
        self.daemon.plx("ifconfig", name, family, address)
        try:
            yield address.split("/")[0]
        finally:
            self.daemon.plx("ifconfig", name, family, address, "delete")

    @contextlib.contextmanager
    def sysctl(self, name, value):
        (node,) = self.daemon.plx("sysctl", name)
        self.daemon.plx("sysctl", f"{name}={value}")
        try:
            yield
        finally:
            self.daemon.plx("sysctl", f"{name}={node['value']}")


@pytest.fixture(scope="module")
def net(lab):
    network = Discovery(lab)
    yield network
    network.daemon.stop()


def kernel_addresses(host, prefix):
    """{address: its entry} of the kernel's addresses that begin so."""
    (shown,) = host.ip_json("-6", "addr", "show", "dev", "eth0")
    return {a["local"]: a for a in shown["addr_info"] if a["local"].startswith(prefix)}


@pytest.mark.parametrize("link_local", [False, True])
def test_each_finds_the_other(net, link_local):
    """The kernel asks for us, and, forgotten, is asked for by us (RFC 4861 7.2)."""
    target = f"{net.ours_a}%eth0" if link_local else GW
    theirs = net.a.address if link_local else HOST
    net.host_a.ip("-6", "neigh", "flush", "dev", "eth0")
    net.host_a.ping(target, "-W", 5)
    if net.neighbor(theirs):
        net.daemon.plx("ndp", "-d", f"{theirs}%lan0")
    net.host_a.ping(target, "-W", 5)
    wait_for(lambda: net.neighbor(theirs).get("state") in ("reachable", "stale", "delay"),
             "the kernel to be known")
    shown = net.neighbor(theirs)
    assert (shown["mac"], shown["interface"]) == (net.host_a.mac("eth0"), "lan0")
    (entry,) = net.host_a.ip_json("-6", "neigh", "show", target.split("%")[0], "dev", "eth0")
    assert entry["lladdr"] == net.a.gateway_mac
    assert "router" in entry, "we say that we forward"


def test_new_mac_of_the_kernel_is_followed(net):
    """RFC 4861 7.2.6: an unsolicited advertisement with the override flag."""
    host, old = net.host_a, net.host_a.mac("eth0")
    host.sysctl("net.ipv6.conf.eth0.ndisc_notify", 1)
    host.ping(GW, "-W", 5)
    try:
        host.ip("link", "set", "eth0", "address", "02:00:00:00:0a:0c")
        wait_for(lambda: net.neighbor(HOST).get("mac") == "02:00:00:00:0a:0c", "the new MAC")
        host.ping(GW, "-W", 5)
    finally:
        host.ip("link", "set", "eth0", "address", old)
    wait_for(lambda: net.neighbor(HOST).get("mac") == old, "the old MAC")


def test_host_that_does_not_answer(net):
    """Three solicitations, then address unreachable (RFC 4861 7.2.2, RFC 4443 3.1)."""
    missing = "2001:db8:1::99"
    net.daemon.plx("route", "add", "2001:db8:b::/64", "via", ROUTER_B, "dev", "wan0")
    try:
        net.b.tap.drain()
        net.a.tap.drain()
        net.b.send(IPv6(src="2001:db8:b::7", dst=missing) / ICMPv6EchoRequest(id=7))
        asked = net.a.wait_for(ICMPv6ND_NS, lambda p: p[ICMPv6ND_NS].tgt == missing)
        assert (asked[IPv6].dst, asked[IPv6].hlim, asked.dst) == (
            group_of(missing), 255, mac_of_group(group_of(missing)))
        assert asked[IPv6].src == GW and asked[ICMPv6NDOptSrcLLAddr].lladdr == net.a.gateway_mac
        wait_for(lambda: net.neighbor(missing).get("state") == "failed", "it to be given up")
        told = net.b.tap.receive(lambda f: IPv6 in Ether(f) and Ether(f)[IPv6].nh == 58
                                 and raw(Ether(f)[IPv6].payload)[:2] == b"\x01\x03")
        assert told, "address unreachable"
    finally:
        net.daemon.plx("route", "delete", "2001:db8:b::/64")


def test_kernel_that_has_the_address_keeps_it(net):
    """RFC 4862 5.4.4: ours is duplicated and not used, and somebody is told."""
    with net.address(f"{HOST}/64") as address:
        wait_for(lambda: net.state(address) == "duplicated", "the conflict to be found")
        assert "duplicated" in net.daemon.log_text()
        net.host_a.ping(GW, "-W", 5)


def test_kernel_that_wants_our_address_does_not_get_it(net):
    """RFC 4862 5.4.3: its solicitation is answered."""
    net.host_a.ip("-6", "addr", "add", f"{GW}/64", "dev", "eth0")
    try:
        wait_for(lambda: kernel_addresses(net.host_a, GW).get(GW, {}).get("dadfailed"),
                 "the kernel to give it up")
        assert net.state(GW) == "preferred"
    finally:
        net.host_a.ip("-6", "addr", "del", f"{GW}/64", "dev", "eth0")


def test_addresses_are_asked_for_and_joined_first(net):
    """A report of the group and a solicitation from nobody, then it is ours (RFC 4862 5.4.2, RFC
    3810 6.1)."""
    net.a.tap.drain()
    with net.address("2001:db8:1::77/64") as address:
        assert net.state(address) == "tentative"
        group = group_of(address)
        report = net.a.wait_for(ICMPv6MLReport2, lambda p: group in records_of(p))
        assert (report[IPv6].dst, report[IPv6].hlim) == ("ff02::16", 1)
        assert RouterAlert in report
        assert records_of(report)[group] == 4, "CHANGE_TO_EXCLUDE_MODE"
        asked = net.a.wait_for(ICMPv6ND_NS, lambda p: p[ICMPv6ND_NS].tgt == address)
        assert (asked[IPv6].src, asked[IPv6].dst) == ("::", group)
        assert ICMPv6NDOptSrcLLAddr not in asked
        wait_for(lambda: net.state(address) == "preferred", "the address to be ours")


def test_listeners_are_told_of_when_a_router_asks(net):
    """RFC 3810 6.2."""
    net.a.tap.drain()
    net.a.send(IPv6(src=net.a.address, dst=ALL_NODES, hlim=1) /
               IPv6ExtHdrHopByHop(options=[RouterAlert()]) / ICMPv6MLQuery2(mrd=500))
    report = net.a.wait_for(ICMPv6MLReport2, lambda p: set(records_of(p).values()) == {2})
    groups = set(records_of(report))
    assert {group_of(GW), ALL_ROUTERS} <= groups and ALL_NODES not in groups
    assert report[IPv6].src == net.ours_a


def test_kernel_configures_itself_by_what_we_advertise(net):
    """The kernel as a host (RFC 4861 6.2, RFC 4862 5.5), until we say that we stop."""
    host = net.host_a
    for name, value in (("accept_ra", 2), ("autoconf", 1), ("forwarding", 0)):
        host.sysctl(f"net.ipv6.conf.eth0.{name}", value)

    def default_routes():
        return [r for r in host.ip_json("-6", "route", "show", "default")
                if r.get("gateway") == net.ours_a]

    def made():
        return [a for a in kernel_addresses(host, "2001:db8:1:").values() if a.get("dynamic")]

    net.daemon.plx("ifconfig", "lan0", "rtadv")
    try:
        wait_for(default_routes, "the kernel to take us for its router")
        (address,) = wait_for(made, "the kernel to make an address")
        assert address["prefixlen"] == 64
        wait_for(lambda: not made()[0].get("tentative"), "its duplicate detection")
        host.ping("2001:db8:1::1", "-W", 5, "-I", address["local"])
    finally:
        net.daemon.plx("ifconfig", "lan0", "-rtadv")
    wait_for(lambda: not default_routes(), "the kernel to hear that we stop")
    host.ip("-6", "addr", "flush", "dev", "eth0", "dynamic")


def test_router_solicitation_is_answered(net):
    """RFC 4861 6.2.6."""
    net.daemon.plx("ifconfig", "lan0", "rtadv")
    try:
        net.a.wait_for(ICMPv6ND_RA)
        net.a.tap.drain()
        net.a.send(IPv6(src=net.a.address, dst=ALL_ROUTERS, hlim=255) / ICMPv6ND_RS() /
                   ICMPv6NDOptSrcLLAddr(lladdr=net.a.mac))
        told = net.a.wait_for(ICMPv6ND_RA)
        assert (told[IPv6].src, told[IPv6].dst, told[IPv6].hlim) == (net.ours_a, ALL_NODES, 255)
        assert told[ICMPv6ND_RA].routerlifetime == 1800
        option = told[ICMPv6NDOptPrefixInfo]
        assert (option.prefix, option.prefixlen, option.L, option.A) == ("2001:db8:1::", 64, 1, 1)
    finally:
        net.daemon.plx("ifconfig", "lan0", "-rtadv")


def advertisement(lifetime=1800, **prefix):
    ra = (IPv6(src=ROUTER_B, dst=ALL_NODES, hlim=255) / ICMPv6ND_RA(routerlifetime=lifetime) /
          ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:0b:0b"))
    return ra / ICMPv6NDOptPrefixInfo(**{"prefix": "2001:db8:2::", "prefixlen": 64, **prefix})


def test_we_configure_ourselves_by_what_a_router_advertises(net):
    """Routers are asked for; a prefix makes an address, its sender the default route (RFC 4861
    6.3, RFC 4862 5.5)."""
    net.daemon.plx("ifconfig", "wan0", "inet6", "-autoconf")
    net.b.tap.drain()
    net.daemon.plx("ifconfig", "wan0", "inet6", "autoconf")
    net.know_router()  # it went with our link-local address
    asked = net.b.wait_for(ICMPv6ND_RS)
    assert (asked[IPv6].dst, asked[IPv6].hlim) == (ALL_ROUTERS, 255)
    net.b.send(advertisement() / ICMPv6NDOptMTU(mtu=1400))
    (address,) = wait_for(lambda: [a["address"] for a in net.addresses("wan0")
                                   if a["origin"] == "autoconf" and a["state"] == "preferred"],
                          "an address of our own")
    assert address.startswith("2001:db8:2::") or address.startswith("2001:db8:2:0:")
    (router,) = net.daemon.plx("ndp", "-r")
    assert (router["address"], router["interface"], router["used"]) == (ROUTER_B, "wan0", True)
    (prefix,) = net.daemon.plx("ndp", "-p")
    assert (prefix["prefix"], prefix["on_link"], prefix["autonomous"]) == (
        "2001:db8:2::/64", True, True)
    (route,) = [r for r in net.daemon.plx("route", "show") if r["prefix"] == "::/0"]
    assert (route["via"], route["origin"]) == (ROUTER_B, "advertised")
    net.b.send(advertisement(lifetime=0))
    wait_for(lambda: not net.daemon.plx("ndp", "-r"), "the router to go")
    assert not [r for r in net.daemon.plx("route", "show") if r["prefix"] == "::/0"]


def test_redirect_is_followed(net):
    """RFC 4861 8.3: the first hop says that another is nearer."""
    far, better = "2001:db8:ff::1", "fe80::77"
    net.b.send(advertisement())
    wait_for(lambda: net.daemon.plx("ndp", "-r"), "a router")
    redirect = (IPv6(src=ROUTER_B, dst=net.ours_b, hlim=255) /
                ICMPv6ND_Redirect(tgt=better, dst=far) /
                ICMPv6NDOptDstLLAddr(lladdr="02:00:00:00:0b:77"))
    assert net.b.drops_of(redirect) == {}
    wait_for(lambda: net.daemon.plx("route", "get", far)["prefix"] == f"{far}/128", "its route")
    answer = net.daemon.plx("route", "get", far)
    assert (answer["interface"], answer["kind"]) == ("wan0", "reachable")
    with net.sysctl("net.inet6.icmp6.rediraccept", 0):
        assert net.b.drops_of(redirect) == {"NdBadSource": 1} or net.b.drops_of(redirect) == {
            "NdRedirectOff": 1}


def test_kernel_follows_our_redirect(net):
    """RFC 4861 8.2 and 8.3: Linux takes the better router that we tell it of."""
    host, better, far, mac = net.host_a, "fe80::9", "2001:db8:50::1", "02:00:00:00:01:09"
    host.sysctl("net.ipv6.conf.eth0.accept_redirects", 1)
    host.ip("-6", "neigh", "replace", better, "lladdr", mac, "dev", "eth0", "nud", "permanent")
    host.ip("-6", "route", "add", "2001:db8:50::/48", "via", net.ours_a, "dev", "eth0")
    net.daemon.plx("ndp", "-s", f"{better}%lan0", mac)
    net.daemon.plx("route", "add", "2001:db8:50::/48", "via", better, "dev", "lan0")
    try:
        with net.sysctl("net.inet6.ip6.redirect", 1):
            def follows():
                host.ping(far, "-W", "0.2", check=False)
                return f"via {better} " in host.ip("-6", "route", "get", far).stdout
            wait_for(follows, "the kernel to go by the other router")
    finally:
        net.daemon.plx("route", "delete", "2001:db8:50::/48")
        net.daemon.plx("ndp", "-d", f"{better}%lan0")
        host.ip("-6", "route", "del", "2001:db8:50::/48")
        host.ip("-6", "route", "flush", "cache", check=False)


ZERO = b"\x01\x00" + bytes(6)  # an option of length 0


def redirect(src=ROUTER_B, dst="2001:db8:ff::1", tgt="fe80::7", hlim=255, **fields):
    return (IPv6(src=src, hlim=hlim) / ICMPv6ND_Redirect(tgt=tgt, dst=dst, **fields))


INVALID_REDIRECTS = [  # where we are a host; test_rules_nd.py has the other messages
    ("RFC 4861 8.1, source", redirect(src="2001:db8:2::b"), "NdBadSource"),
    ("RFC 4861 8.1, hop limit", redirect(hlim=254), "NdBadHopLimit"),
    ("RFC 4861 8.1, checksum", redirect(cksum=1), "Icmp6BadChecksum"),
    ("RFC 4861 8.1, code", redirect(code=1), "NdBadCode"),
    ("RFC 4861 8.1, not from the first hop", redirect(src="fe80::66"), "NdBadSource"),
    ("RFC 4861 8.1, destination", redirect(dst="ff05::1"), "NdBadDestination"),
    ("RFC 4861 8.1, target", redirect(tgt="2001:db8:2::66"), "NdBadTarget"),
    ("RFC 4861 8.1, option of length 0", redirect() / ZERO, "NdBadOption"),
]


@pytest.mark.parametrize("packet, reason", [pytest.param(p, r, id=name)
                                            for name, p, r in INVALID_REDIRECTS])
def test_invalid_redirect(net, packet, reason):
    packet[IPv6].dst = net.ours_b
    assert net.b.drops_of(packet).get(reason) == 1


def test_ip4_address_is_probed_and_announced(net):
    """RFC 5227 2.1 and 2.3, where net.inet.ip.dad_count says so."""
    net.a.tap.drain()

    def arp(sender):
        def is_it(frame):
            packet = Ether(frame)
            return (ARP in packet and packet.src == net.a.gateway_mac and
                    (packet[ARP].psrc, packet[ARP].pdst) == (sender, "10.1.0.77"))
        return is_it

    with net.sysctl("net.inet.ip.dad_count", 1), net.address("10.1.0.77/24") as address:
        assert net.state(address) == "tentative"
        assert net.a.tap.receive(arp("0.0.0.0")), "a probe"
        wait_for(lambda: net.state(address) == "preferred", "the address to be ours")
        assert net.a.tap.receive(arp("10.1.0.77")), "an announcement"


def test_ip4_address_that_the_kernel_has_is_not_used(net):
    """RFC 5227 2.1.1."""
    with net.sysctl("net.inet.ip.dad_count", 2), net.address("10.1.0.2/24") as address:
        wait_for(lambda: net.state(address) == "duplicated", "the conflict to be found")
        net.host_a.ping("10.1.0.1", "-W", 5)


def test_igmp_report_when_a_router_asks(net):
    """RFC 3376 5.2; the group of all hosts is not reported (section 6)."""
    net.a.tap.drain()

    def reports(frame):
        packet = Ether(frame)
        if packet.src != net.a.gateway_mac or IGMPv3mr not in packet:
            return None
        assert (packet[IP].dst, packet[IP].ttl) == ("224.0.0.22", 1)
        assert any(isinstance(o, IPOption_Router_Alert) for o in packet[IP].options)
        return {r.maddr: r.rtype for r in packet[IGMPv3mr].records}

    net.daemon.plx("ifconfig", "lan0", "join", "239.1.2.3")
    try:
        assert net.a.tap.receive(lambda f: reports(f) == {"239.1.2.3": 4})
        query = (Ether(src=net.a.mac, dst="01:00:5e:00:00:01") /
                 IP(src="10.1.0.2", dst="224.0.0.1", ttl=1, options=[IPOption_Router_Alert()]) /
                 IGMPv3(type=0x11, mrcode=5) / IGMPv3mq(gaddr="0.0.0.0"))
        net.a.tap.send(query)
        assert net.a.tap.receive(lambda f: reports(f) == {"239.1.2.3": 2})
    finally:
        net.daemon.plx("ifconfig", "lan0", "leave", "239.1.2.3")
    assert net.a.tap.receive(lambda f: reports(f) == {"239.1.2.3": 3})
