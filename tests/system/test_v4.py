# SPDX-License-Identifier: BSD-3-Clause
"""polluxd-v4, the daemon without IPv6: that it has none, and what it says to who asks for it. That it
does the rest is shown by the other files' tests, run with POLLUX_DAEMON=polluxd-v4.

    host (scapy) 10.1.0.2 ---- 10.1.0.1 polluxd-v4
"""
import functools

import pytest
from frames import moved
from lab import program, run
from networks import Network, af_packet, interface
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, IPv6

pytestmark = pytest.mark.inet4

REFUSED = "IPv6 is not in this build (polluxd-v4)"


class V4(Network):
    def __init__(self, lab):
        super().__init__(lab, "v4")
        host = self.host("host", "lan", "10.1.0.2")
        self.start({"sysctl": {"net.inet.ip.forwarding": 1},
                    "interface": [af_packet("lan0", "lan", "10.1.0.1/24")]}, variant="polluxd-v4")
        self.station_ = self.station(host, "10.1.0.2", "lan0")
        host.ping("10.1.0.1", "-W", 5)


@pytest.fixture(scope="module")
def v4(lab):
    v4 = V4(lab)
    yield v4
    v4.daemon.stop()


@functools.cache
def symbols(name):
    return run("nm", "-C", program(name)).stdout


# A function of every part of IPv6: stages, tables, Neighbour Discovery, MLD, autoconfiguration.
PARTS = [
    "proto::ip6_input(", "proto::ip6_lookup(", "proto::ip6_forward(", "proto::ip6_local(",
    "proto::ip6_output(", "proto::urpf6(", "proto::icmp6_input(", "proto::icmp6_error(",
    "proto::nd_input(", "proto::deliver_udp6(", "proto::deliver_raw6(", "proto::reassemble_ip6(",
    "proto::Fragmentation::begin_ip6(", "proto::Fib6::", "rte_fib6_create",
    "proto::NeighborTable::advertised(", "proto::NeighborTable::expire_ip6(",
    "proto::RouterDiscovery::", "proto::RouterAdvertiser::", "polluxd::ip6_forward_path(",
    "polluxd::ip6_local_path(", "Impl::send_solicitation(", "Impl::send_mld(",
    "Impl::send_router_advertisement(", "Impl::prefix_advertised(", "Impl::redirected(",
]


@pytest.mark.parametrize("part", PARTS)
def test_has_no_function_of_ipv6(part):
    assert part in symbols("polluxd"), "the name has changed: look for another one"
    assert part not in symbols("polluxd-v4")


def test_names_itself(v4):
    assert "polluxd-v4" in run(program("polluxd-v4"), "--version").stdout
    assert "polluxd-v4" not in run(program("polluxd"), "--version").stdout
    assert "polluxd-v4" in run(program("polluxd-v4"), "--help").stdout
    assert v4.daemon.plx("version")["program"] == "polluxd-v4"
    assert "polluxd-v4" in v4.daemon.run_plx("version").stdout


def state(daemon):
    """What a refused request could have changed."""
    return [
        [(i["name"], i["address_states"], i["groups"], i["autoconf"], i["rtadv"])
         for i in daemon.plx("ifconfig")],
        [(r["prefix"], r["origin"]) for r in daemon.plx("route", "show")],
        [(n["interface"], n["address"]) for n in daemon.plx("ndp", "-a")],
        daemon.plx("sysctl"),
    ]


@pytest.mark.parametrize("words", [
    ["ifconfig", "lan0", "inet6", "2001:db8::1/64"],
    ["ifconfig", "lan0", "inet6", "fe80::1/64"],
    ["ifconfig", "lan0", "inet6", "autoconf"],
    ["ifconfig", "lan0", "rtadv"],
    ["ifconfig", "lan0", "join", "ff02::5"],
    ["ifconfig", "af_packet5", "create", "iface=lan", "inet6", "2001:db8::1/64"],
    ["ifconfig", "af_packet5", "create", "iface=lan", "inet6", "autoconf"],
    ["route", "add", "2001:db8:1::/48", "via", "2001:db8::2"],
    ["route", "add", "2001:db8:1::/48", "blackhole"],
    ["route", "add", "10.9.0.0/16", "via", "2001:db8::2"],
    ["route", "get", "2001:db8::2"],
    ["ndp", "-s", "2001:db8::2%lan0", "02:00:00:00:00:01"],
    ["ping6", "-c", "1", "2001:db8::2"],
    ["traceroute", "2001:db8::2"],
], ids=" ".join)
def test_refuses(v4, words):
    before = state(v4.daemon)
    done = v4.daemon.run_plx(*words)
    assert done.returncode != 0 and REFUSED in done.stderr, done.stdout + done.stderr
    assert state(v4.daemon) == before


def test_has_no_tunable_of_ipv6(v4):
    names = [node["name"] for node in v4.daemon.plx("sysctl")]
    assert "net.inet.ip.forwarding" in names and "net.inet.ip.dad_count" in names
    assert not [name for name in names if name.startswith("net.inet6")]
    done = v4.daemon.run_plx("sysctl", "net.inet6.ip6.forwarding=1")
    assert done.returncode != 0 and "net.inet6.ip6.forwarding" in done.stderr


LAN = '[[interface]]\ndriver = "af_packet"\nname = "lan0"\noptions = { iface = "lan" }\n'


@pytest.mark.parametrize("text, place", [
    (LAN + 'address = ["10.1.0.1/24", "2001:db8::1/64"]\n', ":5:"),
    (LAN + "autoconf = true\n", ":5:"),
    (LAN + "[interface.rtadv]\nenabled = true\n", ":5:"),
    (LAN + '[[route]]\nprefix = "2001:db8:1::/48"\nkind = "blackhole"\n', ":6:"),
    ('[sysctl]\n"net.inet6.ip6.forwarding" = 1\n', ":2:"),
], ids=["address", "autoconf", "rtadv", "route", "sysctl"])
def test_refuses_the_configuration(tmp_path, text, place):
    """With the line; polluxd has no objection."""
    path = tmp_path / "pollux.toml"
    path.write_text(text)
    done = run(program("polluxd-v4"), "--check", "-c", path, check=False)
    assert done.returncode == 1
    assert f"{path}{place}" in done.stderr, done.stderr
    assert (REFUSED if "sysctl" not in text else "net.inet6.ip6.forwarding") in done.stderr
    assert run(program("polluxd"), "--check", "-c", path, check=False).returncode == 0


def test_takes_what_ipv6_does_not_change(tmp_path):
    path = tmp_path / "pollux.toml"
    path.write_text("[limits]\nroutes6 = 1000\n" + LAN + "autoconf = false\n")
    run(program("polluxd-v4"), "--check", "-c", path)


def test_a_frame_of_ipv6_is_of_no_known_type(v4):
    """Unicast or to a group: dropped, counted once, answered by nobody."""
    s = v4.station_
    packets = [IPv6(src="fe80::2", dst="fe80::1") / ICMPv6EchoRequest(),
               IPv6(src="fe80::2", dst="ff02::1:ff00:1", hlim=255) / ICMPv6ND_NS(tgt="fe80::1")]
    drops, answers = v4.drops_of(s, s.ether() / packets[0],
                                 s.ether(dst="33:33:ff:00:00:01") / packets[1])
    assert drops == {"EtherUnknownType": 2}
    assert answers == []


def test_an_ipv6_packet_in_a_vlan_is_dropped_too(v4):
    v4.daemon.plx("ifconfig", "vlan7", "create", "vlan", "7", "vlandev", "lan0")
    try:
        s = v4.station_
        tagged = s.ether(type=0x8100) / (b"\x00\x07\x86\xdd" + bytes(IPv6(dst="fe80::1")))
        assert v4.drops_of(s, tagged)[0] == {"EtherUnknownType": 1}
    finally:
        v4.daemon.plx("ifconfig", "vlan7", "destroy")


def test_makes_nothing_of_ipv6_by_itself(v4):
    """Down and up: no link-local address, and nothing of IPv6 is sent."""
    tap = v4.station_.tap
    tap.drain()
    for word in ("down", "up"):
        v4.daemon.plx("ifconfig", "lan0", word)
    seen = v4.station_.exchange()
    lan0 = interface(v4.daemon, "lan0")
    assert [a["address"] for a in lan0["address_states"]] == ["10.1.0.1/24"]
    assert lan0["groups"] == ["224.0.0.1"]
    assert "routes6" not in [u["table"] for u in v4.daemon.plx("stats", "--usage")]
    assert not [f for f in seen if f[12:14] == b"\x86\xdd"]
