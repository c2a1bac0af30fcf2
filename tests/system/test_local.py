# SPDX-License-Identifier: BSD-3-Clause
"""What is for us: the stack's own ping and traceroute, lo0, UDP to nobody, options, broadcasts.

    far 10.3.0.2 ---- host-b 10.2.0.2 ---- 10.2.0.1 polluxd 10.1.0.1 ---- host-a 10.1.0.2
        fd00:3::2            fd00:2::2         fd00:2::1    fd00:1::1            fd00:1::2

host-b's kernel is a router, so that far is two hops from the stack. The MTU is 1500 throughout.
"""
import socket

import pytest
from frames import BROADCAST, icmp_of, moved
from lab import has_inet6, spoken, wait_for
from networks import Network, TapRouter, af_packet
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

GW_A, GW_B, HOST_A, HOST_B, FAR = "10.1.0.1", "10.2.0.1", "10.1.0.2", "10.2.0.2", "10.3.0.2"
GW6_A, HOST6_A, HOST6_B, FAR6 = "fd00:1::1", "fd00:1::2", "fd00:2::2", "fd00:3::2"
NO_LOSS = " 0% packet loss"


def dual(namespace, interface, ip4, ip6):
    namespace.address(interface, ip4)
    if not has_inet6():
        return
    namespace.sysctl("net.ipv6.conf.all.disable_ipv6", 0)
    namespace.sysctl(f"net.ipv6.conf.{interface}.disable_ipv6", 0)
    namespace.sysctl(f"net.ipv6.conf.{interface}.accept_dad", 0)
    namespace.address(interface, ip6)


class TwoHops(Network):
    def __init__(self, lab):
        super().__init__(lab, "local")
        self.a = lab.namespace("local-a")
        self.b = lab.namespace("local-b")
        self.far = lab.namespace("local-far")
        lab.cable(self.a, "eth0", self.gw, "lan")
        lab.cable(self.b, "eth0", self.gw, "wan")
        lab.cable(self.far, "eth0", self.b, "eth1")
        dual(self.a, "eth0", f"{HOST_A}/24", f"{HOST6_A}/64")
        dual(self.b, "eth0", f"{HOST_B}/24", f"{HOST6_B}/64")
        dual(self.b, "eth1", "10.3.0.1/24", "fd00:3::1/64")
        dual(self.far, "eth0", f"{FAR}/24", f"{FAR6}/64")
        self.b.sysctl("net.ipv4.ip_forward", 1)
        self.b.sysctl("net.ipv6.conf.all.forwarding", 1)
        for host, gw4, gw6 in ((self.a, GW_A, GW6_A), (self.far, "10.3.0.1", "fd00:3::1")):
            host.route("default", gw4)
            if has_inet6():
                host.ip("-6", "route", "add", "default", "via", gw6)
        self.b.route("10.1.0.0/24", GW_B)
        if has_inet6():
            self.b.ip("-6", "route", "add", "fd00:1::/64", "via", "fd00:2::1")
        # The kernel answers every closed port: no limit of its own may stand between.
        for host in (self.a, self.b, self.far):
            host.sysctl("net.ipv4.icmp_ratelimit", 0)
            host.sysctl("net.ipv6.icmp.ratelimit", 0)
        lan, wan = af_packet("lan0", "lan", f"{GW_A}/24"), af_packet("wan0", "wan", f"{GW_B}/24")
        lan["address"].append(f"{GW6_A}/64")
        wan["address"].append("fd00:2::1/64")
        self.start({
            "sysctl": {"net.inet.ip.forwarding": 1, "net.inet6.ip6.forwarding": 1,
                       "net.inet6.ip6.dad_count": 0},
            "interface": [lan, wan],
            "route": [{"prefix": "10.3.0.0/24", "via": HOST_B},
                      {"prefix": "fd00:3::/64", "via": HOST6_B},
                      {"prefix": "10.67.0.0/16", "kind": "prohibit"}],
        })
        self.station_a = self.station(self.a, HOST_A, "lan0")
        for target in spoken(HOST_A, HOST_B, FAR, HOST6_A, HOST6_B, FAR6):
            wait_for(lambda: self.ping(target, "-c", 1, "-W", 1000).returncode == 0,
                     f"{target} to answer")

    def ping(self, target, *options, command="ping"):
        return self.daemon.run_plx(command, *map(str, options), target)


@pytest.fixture(scope="module")
def net(lab):
    return TwoHops(lab)


@pytest.fixture(scope="module")
def taps(lab):
    return TapRouter(lab, "local-taps")


def all_answered(done, count):
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} packets transmitted, {count} received, 0% packet loss" in done.stdout, \
        done.stdout + done.stderr


SIZES = [(size, target) for size in (0, 1, 56, 1452, 1453, 1472, 1473, 9000, 65507)
         for target in (HOST_A, FAR, FAR6)
         # On AF_PACKET the kernel joins IPv4 fragments before we have them: see the next test.
         if size < 9000 or target == FAR6]


@pytest.mark.parametrize("size, target", SIZES)
def test_sizes(net, size, target):
    done = net.ping(target, "-c", 3, "-i", 0.01, "-W", 5000, "-s", size)
    all_answered(done, 3)
    assert f"{size + 8} bytes from {target}" in done.stdout
    assert "DIFFERS" not in done.stdout
    assert "rtt min/avg/max" in done.stdout


@pytest.mark.parametrize("size", [1473, 9000, 65507])
def test_sizes_in_fragments(taps, size):
    """We cut the request, the kernel answers in fragments, we put them together."""
    done = taps.daemon.run_plx("ping", "-c", "3", "-i", "0.01", "-W", "5000", "-s", str(size), HOST_A)
    all_answered(done, 3)
    assert "DIFFERS" not in done.stdout


def test_dont_fragment(net):
    all_answered(net.ping(FAR, "-c", 1, "-D", "-s", 1472), 1)
    refused = net.ping(FAR, "-c", 1, "-D", "-s", 1473)
    assert refused.returncode == 1
    assert "1472 at most, the MTU is 1500" in refused.stderr


def test_time_exceeded(net):
    done = net.ping(FAR, "-c", 1, "-t", 1)
    assert done.returncode == 1
    assert f"From {HOST_B}: icmp_seq=1 Time to live exceeded" in done.stdout
    assert "+1 errors" in done.stdout


def test_unreachable(net):
    done = net.ping("10.3.0.77", "-c", 1, "-W", 20000)
    assert f"From {HOST_B}: icmp_seq=1 Destination Host Unreachable" in done.stdout
    assert "no route to 192.0.2.9" in net.ping("192.0.2.9", "-c", 1).stderr


def test_source(net):
    all_answered(net.ping(HOST_B, "-c", 1, "-I", GW_A), 1)
    assert "is no address of ours" in net.ping(HOST_B, "-c", 1, "-I", "10.9.9.9").stderr


@pytest.mark.inet6
def test_families(net):
    all_answered(net.ping(HOST6_A, "-c", 1, command="ping6"), 1)
    all_answered(net.ping(HOST6_A, "-c", 1, "-6"), 1)
    assert net.ping(HOST_A, "-c", 1, command="ping6").returncode == 1


@pytest.mark.inet6
def test_link_local(net):
    link_local = next(a["local"] for i in net.a.ip_json("-6", "addr", "show", "dev", "eth0")
                      for a in i.get("addr_info", []) if a["local"].startswith("fe80"))
    all_answered(net.ping(f"{link_local}%lan0", "-c", 1, "-W", 5000), 1)
    assert "needs its link" in net.ping(link_local, "-c", 1).stderr


@pytest.mark.parametrize("how", [["-U"], ["-I"]])
@pytest.mark.parametrize("target, hops", [(FAR, [HOST_B, FAR]), (FAR6, [HOST6_B, FAR6]),
                                          (HOST_A, [HOST_A])])
def test_traceroute(net, target, hops, how):
    done = net.daemon.run_plx("traceroute", "-n", "-w", "5000", *how, target)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    size = 80 if ":" in target else 60
    assert lines[0] == f"traceroute to {target} ({target}), 30 hops max, {size} byte packets"
    assert [line.split()[:2] for line in lines[1:]] == [[str(n + 1), hop]
                                                        for n, hop in enumerate(hops)]
    assert all(line.count(" ms") == 3 for line in lines[1:])


def test_traceroute_ends(net):
    done = net.daemon.run_plx("traceroute", "-n", "-m", "1", "-q", "1", FAR)
    assert done.returncode == 1, "not reached"
    assert len(done.stdout.splitlines()) == 2
    report = net.daemon.plx("traceroute", "-n", "-q", "2", FAR)
    assert report["reached"] and [len(h["probes"]) for h in report["hops"]] == [2, 2]


def test_own_addresses(net):
    for target in spoken(GW_A, GW_B, GW6_A):
        all_answered(net.ping(target, "-c", 3, "-i", 0.01, "-s", 5000), 3)
    done = net.daemon.run_plx("traceroute", "-n", GW_B)
    assert done.returncode == 0 and GW_B in done.stdout


def test_lo0(net):
    def interface_packets():
        return net.daemon.plx("stats", "--interfaces")

    assert net.ping("127.0.0.1", "-c", 1, "-W", 200).returncode == 1
    assert net.daemon.run_plx("ifconfig", "lan0", "inet", "127.0.0.1/8", "alias").returncode == 1
    net.daemon.plx("mount", "-T", "io-pkt", "loop")
    try:
        net.daemon.plx("ifconfig", "lo0", "inet", "127.0.0.1/8")
        for address in spoken("::1/128"):
            net.daemon.plx("ifconfig", "lo0", "inet6", address)
        for target in spoken("127.0.0.1", "127.4.5.6", "::1"):
            all_answered(net.ping(target, "-c", 3, "-i", 0.01, "-s", 20000), 3)
        assert "lo0" in str(interface_packets())
        for name in spoken("net.inet.ip", "net.inet.udp", "net.inet6.udp6"):
            net.daemon.plx("sysctl", f"{name}.do_loopback_cksum=1")
        all_answered(net.ping("127.0.0.1", "-c", 1), 1)
        for target in spoken("127.0.0.1", "::1"):
            assert net.daemon.run_plx("traceroute", "-n", target).returncode == 0
        # From the wire it stays a martian (RFC 1812 5.3.7).
        drops, _ = net.drops_of(net.station_a, net.station_a.ip("127.0.0.1") / ICMP())
        assert drops == {"Ip4Martian": 1}
    finally:
        for name in spoken("net.inet.ip", "net.inet.udp", "net.inet6.udp6"):
            net.daemon.plx("sysctl", f"{name}.do_loopback_cksum=0")
        net.daemon.plx("ifconfig", "lo0", "destroy")


@pytest.mark.parametrize("family, address", [(socket.AF_INET, GW_A), (socket.AF_INET6, GW6_A)])
def test_closed_port(net, family, address):
    """A kernel's UDP client is told: ECONNREFUSED."""
    with net.a.entered():
        client = socket.socket(family, socket.SOCK_DGRAM)
    with client:
        client.settimeout(30)
        client.connect((address, 9))
        client.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            client.recv(1)


UDP_RULES = [
    # RFC, what is wrong, the datagram, the drop, whether an error comes back
    ("RFC 768: no checksum over IPv4", lambda: IP(src=HOST_A, dst=GW_A) / UDP(dport=9, chksum=0),
     "UdpNoPort", True),
    ("RFC 1122 4.1.3.1: closed port", lambda: IP(src=HOST_A, dst=GW_A) / UDP(dport=9),
     "UdpNoPort", True),
    ("RFC 1122 4.1.3.4: wrong checksum",
     lambda: IP(src=HOST_A, dst=GW_A) / UDP(dport=9, chksum=0x1234), "UdpBadChecksum", False),
    ("RFC 768: Length below 8", lambda: IP(src=HOST_A, dst=GW_A) / UDP(dport=9, len=7),
     "UdpBadLength", False),
    ("RFC 768: Length beyond the packet", lambda: IP(src=HOST_A, dst=GW_A) / UDP(dport=9, len=99),
     "UdpBadLength", False),
    ("RFC 768: 7 bytes", lambda: IP(src=HOST_A, dst=GW_A, proto=17) / Raw(b"1234567"),
     "UdpTruncated", False),
]
UDP6_RULES = [
    ("RFC 8200 8.1: no checksum over IPv6",
     lambda: IPv6(src=HOST6_A, dst=GW6_A) / UDP(dport=9, chksum=0), "UdpBadChecksum", False),
    ("RFC 4443 3.1: closed port", lambda: IPv6(src=HOST6_A, dst=GW6_A) / UDP(dport=9),
     "UdpNoPort", True),
]


@pytest.mark.parametrize("rule, packet, reason, told",
                         [pytest.param(*r, id=r[0]) for r in UDP_RULES]
                         + [pytest.param(*r, id=r[0], marks=pytest.mark.inet6) for r in UDP6_RULES])
def test_udp_rules(net, rule, packet, reason, told):
    drops, back = net.drops_of(net.station_a, net.station_a.ether() / packet())
    assert drops == {reason: 1}
    errors = [f for f in back if (icmp_of(f, 3) is not None
                                  or (IPv6 in Ether(f) and bytes(Ether(f)[IPv6].payload)[:1] == b"\1"))]
    assert bool(errors) == told


def test_broadcast_is_never_answered(net):
    """RFC 1122 3.2.2, 4.1.3.1."""
    frame = net.station_a.ether(dst=BROADCAST) / IP(src=HOST_A, dst="255.255.255.255") / \
        UDP(dport=9)
    drops, back = net.drops_of(net.station_a, frame)
    assert drops == {"UdpNoPort": 1}
    assert not [f for f in back if icmp_of(f, 3) is not None]


def test_sysctls_are_described(net):
    for node in net.daemon.plx("sysctl", "-a", "-d"):
        assert node["description"] and node["min"] <= node["value"] <= node["max"], node


def test_no_buffer_is_lost(net):
    """What waited for a listener that has gone is given back."""
    def used():
        return next(u["used"] for u in net.daemon.plx("stats", "--usage") if "buffer" in u["table"]
                    or "mbuf" in u["table"])

    before = used()
    for _ in range(3):
        net.ping(FAR, "-c", 5, "-i", 0, "-s", 30000)
    wait_for(lambda: used() <= before + 64, "buffers to be given back")
    assert moved({}, {}) == {}
