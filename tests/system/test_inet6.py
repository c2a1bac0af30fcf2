# SPDX-License-Identifier: BSD-3-Clause
"""IPv6 forwarding and ICMPv6, with kernels on both sides (RFC 8200, RFC 4443).

    host-a 2001:db8:1::2 ---- ::1 polluxd ::1 ---- 2001:db8:2::2 host-b
                     MTU 1500             MTU 1400

All neighbours are permanent: what is tested here needs no Neighbour Discovery.
"""
import re

import pytest
from lab import wait_for
from networks import Network, af_packet, interface
from scapy.layers.inet import UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6PacketTooBig,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    HBHOptUnknown,
    PadN,
    RouterAlert,
)
from scapy.layers.l2 import Ether

pytestmark = pytest.mark.inet6

GW_A, GW_B = "2001:db8:1::1", "2001:db8:2::1"
HOST_A, HOST_B = "2001:db8:1::2", "2001:db8:2::2"


class Router6(Network):
    MTU_B = 1400

    def __init__(self, lab):
        super().__init__(lab, "router6")
        self.host_a = self.host6("a", "lan", HOST_A)
        self.host_b = self.host6("b", "wan", HOST_B, mtu=self.MTU_B)
        self.start({
            "sysctl": {"net.inet6.ip6.forwarding": 1, "net.inet6.icmp6.errppslimit": 1000,
                       "net.inet6.ip6.dad_count": 0},
            "interface": [af_packet("lan0", "lan", f"{GW_A}/64"),
                          af_packet("wan0", "wan", f"{GW_B}/64", mtu=self.MTU_B)],
            "neighbor": [{"address": HOST_A, "mac": self.host_a.mac("eth0"), "interface": "lan0"},
                         {"address": HOST_B, "mac": self.host_b.mac("eth0"), "interface": "wan0"}],
            "route": [{"prefix": "2001:db8:66::/48", "kind": "blackhole"},
                      {"prefix": "2001:db8:67::/48", "kind": "prohibit"}],
        })
        for host, name, gateway in ((self.host_a, "lan0", GW_A), (self.host_b, "wan0", GW_B)):
            mac = interface(self.daemon, name)["mac"]
            host.ip("-6", "neigh", "replace", gateway, "lladdr", mac, "dev", "eth0",
                    "nud", "permanent")
            host.ip("-6", "route", "add", "default", "via", gateway)
        self.tap = self.host_a.tap("eth0")
        self.gateway_mac = interface(self.daemon, "lan0")["mac"]
        self.mac_a = self.host_a.mac("eth0")

    def host6(self, name, port, address, mtu=1500):
        host = self.lab.namespace(f"{self.role}-{name}")
        self.lab.cable(host, "eth0", self.gw, port, mtu=mtu)
        host.sysctl("net.ipv6.conf.eth0.disable_ipv6", 0)
        host.ip("-6", "addr", "add", f"{address}/64", "dev", "eth0", "nodad")
        return host

    def send(self, packet):
        """From the place of host-a's kernel. Returns the first packet that comes back for it."""
        self.tap.drain()
        self.tap.send(Ether(src=self.mac_a, dst=self.gateway_mac) / packet)
        frame = self.tap.receive(lambda f: Ether(f).haslayer(IPv6) and Ether(f)[IPv6].dst == HOST_A
                                 and Ether(f).src == self.gateway_mac)
        return Ether(frame)[IPv6]


@pytest.fixture(scope="module")
def router6(lab):
    router = Router6(lab)
    yield router
    router.daemon.stop()


@pytest.mark.parametrize("size", [0, 1, 56, 512, 1352])
def test_ping_across(router6, size):
    for host, there in ((router6.host_a, HOST_B), (router6.host_b, HOST_A)):
        told = host.ping(there, "-s", size, "-i", 0.01, count=5).stdout
        assert " 0% packet loss" in told


@pytest.mark.parametrize("target", [GW_A, GW_B])
def test_ping_us(router6, target):
    assert " 0% packet loss" in router6.host_a.ping(target, "-s", 999, "-i", 0.01, count=5).stdout


def test_hop_limit_exceeded(router6):
    told = router6.host_a.ping(HOST_B, "-t", 1, check=False).stdout
    assert re.search(f"From {GW_A} icmp_seq=1 Time exceeded", told), told


def test_prohibited_route(router6):
    told = router6.host_a.ping("2001:db8:67::1", check=False).stdout
    assert re.search(f"From {GW_A} icmp_seq=1 Destination unreachable: Administratively", told)


def test_no_route(router6):
    told = router6.host_a.ping("2001:db8:77::1", check=False).stdout
    assert re.search(f"From {GW_A} icmp_seq=1 Destination unreachable: No route", told), told


def test_path_mtu_discovery(router6):
    """The kernel takes the MTU from "packet too big" and sends less (RFC 8201)."""
    router6.host_a.ping(HOST_B, "-s", 1452, "-M", "do", check=False)
    assert "mtu 1400" in router6.host_a.ip("-6", "route", "get", HOST_B).stdout
    told = router6.host_a.ping(HOST_B, "-s", 1452, "-i", 0.01, count=3).stdout
    assert " 0% packet loss" in told, "in fragments that fit"


def test_packet_too_big_quotes_1280_bytes(router6):
    """RFC 4443 section 2.4 (c)."""
    sent = IPv6(src=HOST_A, dst=HOST_B) / UDP(sport=7, dport=9) / bytes(1400)
    got = router6.send(sent)
    assert ICMPv6PacketTooBig in got and got[ICMPv6PacketTooBig].mtu == 1400
    assert len(bytes(got)) == 1280
    assert bytes(got[ICMPv6PacketTooBig].payload) == bytes(sent)[:1232]
    summed = IPv6(bytes(got))
    checksum = summed[ICMPv6PacketTooBig].cksum
    del summed[ICMPv6PacketTooBig].cksum
    assert IPv6(bytes(summed))[ICMPv6PacketTooBig].cksum == checksum


@pytest.mark.parametrize("packet, layer, code, pointer", [
    # RFC 4443 section 3.1, RFC 8200 section 4.2, RFC 5095.
    (IPv6(src=HOST_A, dst=GW_A) / UDP(sport=7, dport=9) / b"closed", ICMPv6DestUnreach, 4, None),
    (IPv6(src=HOST_A, dst=GW_A, nh=200) / b"12345678", ICMPv6ParamProblem, 1, 6),
    (IPv6(src=HOST_A, dst=GW_A) / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"1234")]) /
     IPv6ExtHdrHopByHop() / UDP(), ICMPv6ParamProblem, 1, 40),
    (IPv6(src=HOST_A, dst=GW_A) / IPv6ExtHdrRouting(addresses=[HOST_B], segleft=1) / UDP(),
     ICMPv6ParamProblem, 0, 42),
    (IPv6(src=HOST_A, dst=HOST_B) /
     IPv6ExtHdrHopByHop(options=[HBHOptUnknown(otype=0x9e, optdata=b"1234")]) / UDP(),
     ICMPv6ParamProblem, 2, 42),
    (IPv6(src=HOST_A, dst=HOST_B, hlim=1) / IPv6ExtHdrHopByHop(options=[RouterAlert()]) / UDP(),
     ICMPv6TimeExceeded, 0, None),
])
def test_errors(router6, packet, layer, code, pointer):
    got = router6.send(packet)
    assert layer in got, got.summary()
    assert (got[layer].code, getattr(got[layer], "ptr", None)) == (code, pointer)
    assert got.src == GW_A


def test_extension_headers_pass_in_transit(router6):
    """A router reads hop-by-hop options and nothing behind (RFC 8200 section 4)."""
    tap = router6.host_b.tap("eth0")
    sent = (IPv6(src=HOST_A, dst=HOST_B, hlim=9, tc=0x2e, fl=0x54321) /
            IPv6ExtHdrHopByHop(options=[RouterAlert()]) /
            IPv6ExtHdrRouting(addresses=[GW_A], segleft=1) /
            IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=0xc3, optdata=b"12")]) /
            UDP(sport=7, dport=9) / b"as it was")
    router6.tap.send(Ether(src=router6.mac_a, dst=router6.gateway_mac) / sent)
    frame = tap.receive(lambda f: Ether(f).haslayer(IPv6) and Ether(f)[IPv6].fl == 0x54321)
    expected = bytearray(bytes(sent))
    expected[7] -= 1
    assert bytes(Ether(frame)[IPv6]) == bytes(expected)


def test_tcp_across(router6):
    """A few megabytes, whatever the MTU on the way."""
    server = router6.host_b.start("iperf3", "-s", "-1", "-B", HOST_B)
    wait_for(lambda: "5201" in router6.host_b.run("ss", "-6ltn").stdout, "iperf3's server")
    done = router6.host_a.run("iperf3", "-c", HOST_B, "-n", "4M")
    assert "receiver" in done.stdout
    server.wait(30)
