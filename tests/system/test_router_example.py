# SPDX-License-Identifier: BSD-3-Clause
"""The router of docs/router.md, as its file stands there, among kernels in three namespaces."""
import pathlib
import re
import tomllib

import pytest
from lab import wait_for
from networks import Network
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from switch import Switch

pytestmark = pytest.mark.inet6

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "router.md"
UPSTREAM = ("192.0.2.254", "2001:db8:0:2::fe")
STAFF, GUEST = ("10.10.0.2", "2001:db8:0:10::2"), ("10.20.0.2", "2001:db8:0:20::2")
BOTH = pytest.mark.parametrize("family", [0, 1], ids=["inet", "inet6"])


def enable_inet6(node, interface):
    node.sysctl(f"net.ipv6.conf.{interface}.disable_ipv6", 0)


class Example(Network):
    def __init__(self, lab):
        super().__init__(lab, "example")
        self.out, self.staff, self.guest = (lab.namespace(f"example-{n}")
                                            for n in ("out", "staff", "guest"))
        lab.cable(self.out, "eth0", self.gw, "wan")
        switch = Switch(lab, "example-switch").trunk(self.gw, "lan")
        switch.access(self.staff, "eth0", 10)
        switch.access(self.guest, "eth0", 20)
        switch.start()
        for node, addresses in ((self.out, UPSTREAM), (self.staff, STAFF), (self.guest, GUEST)):
            enable_inet6(node, "eth0")
            node.address("eth0", f"{addresses[0]}/24")
            node.ip("-6", "addr", "add", f"{addresses[1]}/64", "dev", "eth0", "nodad")
        for node, net in ((self.staff, 10), (self.guest, 20)):
            node.route("default", f"10.{net}.0.1")
            node.ip("-6", "route", "add", "default", "via", f"2001:db8:0:{net}::1")
            self.out.ip("route", "add", f"10.{net}.0.0/24", "via", "192.0.2.1")
            self.out.ip("-6", "route", "add", f"2001:db8:0:{net}::/64", "via", "2001:db8:0:2::1")
        # It sends back in what comes from inside: only the router keeps guests and staff apart.
        self.out.sysctl("net.ipv4.ip_forward", 1)
        self.out.sysctl("net.ipv6.conf.all.forwarding", 1)
        text = re.search(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL).group(1)
        self.start(tomllib.loads(text))


@pytest.fixture(scope="module")
def example(lab):
    net = Example(lab)
    for node in (net.staff, net.guest):
        for target in UPSTREAM:
            wait_for(lambda: node.ping(target, "-W", 1, check=False).returncode == 0,
                     f"a reply of {target}")
    yield net
    net.daemon.stop()


@BOTH
@pytest.mark.parametrize("size", [56, 1472])
def test_both_networks_reach_the_outside(example, family, size):
    for node in (example.staff, example.guest):
        told = node.ping(UPSTREAM[family], "-s", size, "-i", 0.02, count=20).stdout
        assert " 0% packet loss" in told, told


@BOTH
def test_guests_do_not_reach_the_staff(example, family):
    told = example.guest.ping(STAFF[family], "-W", 2, check=False).stdout
    assert "100% packet loss" in told, told
    assert "prohibited" in told or "Packet filtered" in told, told


@BOTH
def test_the_outside_reaches_both(example, family):
    for inside in (STAFF, GUEST):
        assert example.out.ping(inside[family], "-W", 5).returncode == 0


def test_guests_ask_their_own_gateway_only(example):
    """The staff's address of the router is no address in the guests' table."""
    assert example.guest.ping("10.20.0.1", "-W", 5).returncode == 0
    assert "100% packet loss" in example.guest.ping("10.10.0.1", "-W", 1, check=False).stdout


def test_nobody_sends_with_anothers_address(example):
    """urpf = "strict"."""
    gateway = next(i["mac"] for i in example.daemon.plx("ifconfig") if i["name"] == "staff0")
    tap = example.staff.tap("eth0")
    before = example.daemon.drops().get("Ip4Spoofed", 0)
    tap.send(Ether(src=example.staff.mac("eth0"), dst=gateway) /
             IP(src="10.20.0.2", dst=UPSTREAM[0]) / UDP(dport=9) / b"not mine")
    wait_for(lambda: example.daemon.drops().get("Ip4Spoofed", 0) == before + 1, "the drop")


def test_traceroute(example):
    """tracepath finds the router, the end and the path MTU."""
    for node, net in ((example.staff, 10), (example.guest, 20)):
        told = node.run("tracepath", "-n", UPSTREAM[0]).stdout
        assert f"10.{net}.0.1" in told and "192.0.2.254" in told and "pmtu 1500" in told, told


def test_ping_from_the_guests_table(example):
    told = example.daemon.run_plx("ping", "-c", "1", "-V", "guest", GUEST[0])
    assert told.returncode == 0, told.stdout
